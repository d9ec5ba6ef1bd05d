"""A start on a full disk waits for room; any other fault ends it."""

import errno

import pytest

from sensor_client.room import ROOM_FLOOR_SECONDS, once_there_is_room
from sensor_client.spool import SpoolFullError
from tests.sensor_client.fakes import FakeClock


def test_a_full_disk_is_waited_for_and_never_in_a_hurry(clock: FakeClock) -> None:
    faults: list[Exception] = [OSError(errno.ENOSPC, "full"), SpoolFullError("full"), OSError(errno.EDQUOT, "quota")]

    def begin() -> str:
        if faults:
            raise faults.pop()
        return "begun"

    assert once_there_is_room(begin, clock, lambda: 0.0) == "begun"
    assert len(clock.waits) == 3 and min(clock.waits) >= ROOM_FLOOR_SECONDS


def test_another_fault_is_not_waited_for(clock: FakeClock) -> None:
    def begin() -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        once_there_is_room(begin, clock, lambda: 0.0)
    assert clock.waits == []
