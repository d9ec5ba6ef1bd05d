"""Settings from afar: canonical bytes with strict bounds, and an entry that is theirs and no other's."""

import json
from typing import Any

import pytest

from shared.bundle import SETTINGS_LIMIT_BYTES, BundleError, DeviceSettings, canonical_json, settings_path
from tests.vectors.settings_vectors import FOLDER, documents

EVERYTHING = documents()["everything.json"]


def test_settings_come_back_as_they_were_and_what_is_not_said_is_left_out() -> None:
    thrifty = DeviceSettings(family="doorbell", counter=3, frames_per_second=0.5)
    assert thrifty.to_bytes() == b'{"counter":3,"family":"doorbell","frames_per_second":0.5,"schema":1}'
    assert DeviceSettings.from_bytes(thrifty.to_bytes()) == thrifty
    assert thrifty.said == {"frames_per_second": 0.5}


def test_the_longest_settings_fit_their_limit() -> None:
    longest = EVERYTHING.model_copy(
        update={
            "family": "f" * 63,
            "counter": 2**31 - 1,
            "tag": "t" * 64,
            "active_hours": "; ".join(["Mon 06:00-20:00"] * 11),
            "region": (0.1234567890123456,) * 4,
            **{name: 2**53 - 1 for name in EVERYTHING.said if name.startswith("budget_")},
        }
    )
    assert len(longest.to_bytes()) < SETTINGS_LIMIT_BYTES


@pytest.mark.parametrize("name", documents())
def test_golden_settings_are_read_and_written_byte_for_byte(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    assert DeviceSettings.from_bytes(data) == documents()[name]
    assert documents()[name].to_bytes() == data


@pytest.mark.parametrize(
    "changed",
    [
        {"frames_per_second": 0.0},
        {"frames_per_second": 1e6},
        {"batch_frames": 0},
        {"batch_frames": 257},
        {"batch_frames": 1.5},
        {"linger_seconds": -1.0},
        {"budget_hour_bytes": 1023},
        {"budget_day_bytes": 2**53},
        {"picture_share": 0.0},
        {"picture_share": 1.01},
        {"detail_share": -0.1},
        {"detail_quality": 0},
        {"detail_quality": 101},
        {"active_hours": ""},
        {"active_hours": "06:00-20:00\n"},
        {"active_hours": "at noon"},
        {"region": [0.5, 0.0, 0.6, 1.0]},
        {"region": [0.0, 0.0, 0.0, 1.0]},
        {"region": [0.0, 0.0, 1.0]},
        {"counter": 0},
        {"counter": 2**31},
        {"family": "Doorbell"},
        {"tag": "no blanks"},
        {"schema": 2},
        {"frames": 1},
        {"frames_per_second": "1"},
        {"frames_per_second": True},
    ],
)
def test_what_is_out_of_bounds_unknown_or_of_another_type_is_refused(changed: dict[str, Any]) -> None:
    genuine = json.loads(EVERYTHING.to_bytes())
    with pytest.raises(BundleError):
        DeviceSettings.from_bytes(canonical_json(genuine | changed))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{", b" " * 2000, EVERYTHING.to_bytes() + b"\n", b'{"counter":1,"family":"a","schema":1}'],
)
def test_bytes_that_are_no_settings_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        DeviceSettings.from_bytes(data)


def test_only_the_entry_of_these_settings_is_taken_for_theirs() -> None:
    path, custom = EVERYTHING.target_path, EVERYTHING.target_custom
    EVERYTHING.require_entry(path, custom, "doorbell")
    for other in (
        (settings_path("doorbell", 8), custom, "doorbell"),
        (path, custom | {"tag": None}, "doorbell"),
        (path, {}, "doorbell"),
        (path, custom, "digits"),
    ):
        with pytest.raises(BundleError):
            EVERYTHING.require_entry(*other)
