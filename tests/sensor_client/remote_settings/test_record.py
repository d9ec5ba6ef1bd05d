"""What is remembered of settings from afar comes back as it was, and a damaged file counts as none."""

from pathlib import Path

import pytest

from sensor_client.remote_settings import SettingsFile, SettingsRecord
from shared.bundle import DeviceSettings
from shared.wire import SettingsState

RATE = DeviceSettings(family="signs", counter=3, frames_per_second=0.5)
KEPT = SettingsRecord(named=RATE.target_path, document=RATE.to_bytes().decode())


@pytest.mark.parametrize(
    "record", [SettingsRecord(), KEPT, SettingsRecord(named="x", code="y", reason="z", is_open=False)]
)
def test_a_record_comes_back_as_it_was_for_its_owner_only(record: SettingsRecord, tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "settings.json")
    file.save(record)
    assert file.load() == record
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"\xff" * 10, b'{"named": 1}', b'{"document": "{}"}', b'{"named": "' + b"x" * 9000 + b'"}'],
)
def test_a_damaged_file_counts_as_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_bytes(data)
    assert SettingsFile(tmp_path / "settings.json").load() == SettingsRecord()


def test_what_is_told_names_what_is_wanted_and_what_is_in_effect() -> None:
    assert SettingsRecord().state is None
    assert KEPT.state == SettingsState(named="signs/settings-3.json", in_effect=3)
    refused = KEPT.model_copy(update={"named": "signs/settings-4.json", "code": "untrusted", "reason": "why"})
    assert refused.state == SettingsState(named="signs/settings-4.json", in_effect=3, code="untrusted", reason="why")
    assert not refused.is_settled
    assert refused.model_copy(update={"is_open": False}).is_settled
