"""What makes a device unlike others, each in a few words that stand alone: for lists, and for its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_server.fleet.heartbeats import HEARD_SECONDS
from cloud_server.fleet.listing import Listed


@dataclass(frozen=True, slots=True)
class Mark:
    """A few words, and how loud they are: good, warn, bad, quiet or info."""

    words: str
    kind: str


def name_of(public_id: str, name: str | None) -> str:
    """What people call a device, or else its id."""
    return name or public_id


def marks_of(listed: Listed, now: float) -> Sequence[Mark]:
    """All marks of a device, the loudest first; `now` in seconds since 1970."""
    row, pin = listed.row, listed.pin
    pinned = "pinned" if pin is None or pin.assignment is None else f"pinned to v{pin.assignment.counter}"
    every = (
        (row.revoked_at is not None, Mark("revoked", "bad")),
        (row.suspected_clone_at is not None, Mark("perhaps two devices", "bad")),
        (listed.quarantine is not None, Mark("in quarantine", "warn")),
        (is_silent(row.last_seen_at, now), Mark("silent", "warn")),
        (listed.target is not None and listed.target.counter < listed.floor, Mark("below the floor", "warn")),
        (pin is not None, Mark(pinned, "info")),
        (row.trial_target is not None, Mark("on trial", "info")),
    )
    return [mark for is_so, mark in every if is_so]


def is_silent(last_seen_at: float | None, now: float) -> bool:
    """Whether a device that was here once was not for two days; times in seconds since 1970."""
    return last_seen_at is not None and last_seen_at < now - HEARD_SECONDS
