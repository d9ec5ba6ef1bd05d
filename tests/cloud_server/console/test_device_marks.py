"""What marks a device, in words, the loudest first."""

from dataclasses import replace

import pytest

from cloud_server.console.device_marks import Mark, is_silent, marks_of, name_of
from cloud_server.fleet.assignments import Hold
from cloud_server.fleet.heartbeats import HEARD_SECONDS
from cloud_server.fleet.listing import Listed
from cloud_server.storage.rows.fleet import FleetRow
from shared.wire import Assignment

NOW = 1e9
ROW = FleetRow(
    id=7,
    public_id="a1",
    family="digits",
    name=None,
    enrolled_at=1.0,
    last_seen_at=NOW - 5,
    last_tables="v1",
    revoked_at=None,
    suspected_clone_at=None,
    suspected_clone_why=None,
    program=None,
    outcome=None,
    trial_target=None,
    trial_since=None,
    received_at=None,
)


def assignment(counter: int) -> Assignment:
    """An assignment to a bundle of family digits."""
    return Assignment(seq=counter, family="digits", counter=counter, target=f"digits/{counter}.json")


LISTED = Listed(ROW, (), None, None, assignment(2), floor=1, is_silent=False)


def hold(counter: int | None, reason: str | None = None) -> Hold:
    """A hold at a bundle of family digits."""
    return Hold("digits", None if counter is None else assignment(counter), 5.0, reason)


def test_a_device_that_does_well_has_no_marks() -> None:
    assert marks_of(LISTED, NOW) == []


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (replace(LISTED, row=ROW._replace(revoked_at=1.0)), "revoked"),
        (replace(LISTED, row=ROW._replace(suspected_clone_at=1.0)), "perhaps two devices"),
        (replace(LISTED, quarantine=hold(1)), "in quarantine"),
        (replace(LISTED, row=ROW._replace(last_seen_at=NOW - HEARD_SECONDS - 1)), "silent"),
        (replace(LISTED, floor=3), "below the floor"),
        (replace(LISTED, pin=hold(1)), "pinned to v1"),
        (replace(LISTED, pin=hold(None)), "pinned"),
        (replace(LISTED, row=ROW._replace(trial_target="digits/2.json")), "on trial"),
    ],
)
def test_what_is_unlike_others_is_said(listed: Listed, words: str) -> None:
    assert [mark.words for mark in marks_of(listed, NOW)] == [words]


def test_what_needs_somebody_comes_before_what_somebody_wanted() -> None:
    listed = replace(LISTED, row=ROW._replace(revoked_at=1.0, trial_target="digits/2.json"), pin=hold(1))
    assert marks_of(listed, NOW) == [Mark("revoked", "bad"), Mark("pinned to v1", "info"), Mark("on trial", "info")]


def test_a_device_that_never_was_here_is_not_silent() -> None:
    assert not is_silent(None, NOW)
    assert not is_silent(NOW - HEARD_SECONDS, NOW)
    assert is_silent(NOW - HEARD_SECONDS - 1, NOW)


def test_a_device_without_a_name_is_called_by_its_id() -> None:
    assert [name_of("a1", name) for name in (None, "north gate")] == ["a1", "north gate"]
