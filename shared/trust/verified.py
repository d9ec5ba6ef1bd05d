"""What verifying gives, and what it asks for: without a line of TUF's, so that a program may speak of it unburdened."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.errors import DctwireError

Fetch = Callable[[str, int, float], Iterator[bytes]]
"""Yields the bytes at a path such as `doorbell/timestamp.json`, at most so many, within so many seconds; raises
NotPublishedError or ChannelError."""


class NotPublishedError(DctwireError):
    """The server has nothing at this path."""


@dataclass(frozen=True, slots=True)
class VerifiedTarget:
    """A target's bytes, and what the signed metadata say beside their hash.

    Args:
        custom: of its entry.
        min_counter: the family's floor.
    """

    data: bytes
    custom: dict[str, Any]
    min_counter: int


@dataclass(frozen=True, kw_only=True)
class TrustStanding:
    """How far a device has followed the metadata.

    Args:
        root_version: 0 where no root is to be had.
        targets_version: 0 before the first.
        signed_at: when the newest of verified root and targets was signed offline.
        time_floor: before this time it is certainly not: when this program was made, or `signed_at`.
        not_before: the time to judge expiry by: the clock's, or the floor where that is later.
        min_counter: the oldest counter of the family that is safe; 0 where nothing verified says so.
        is_stale: whether nothing new can be believed any more: what was signed offline has expired, or the last
            timestamp long ago.
    """

    root_version: int
    targets_version: int
    signed_at: datetime | None
    time_floor: datetime
    not_before: datetime
    min_counter: int
    is_stale: bool
