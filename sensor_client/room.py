"""What cannot begin on a full disk begins once there is room."""

import errno
import threading
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from sensor_client.spool import SpoolFullError

ROOM_FLOOR_SECONDS = 1.0
"""Between two attempts to start on a full disk, at least."""

_log = get_logger(__name__)
_T = TypeVar("_T")


def once_there_is_room(begin: Callable[[], _T], clock: Clock, random: Callable[[], float]) -> _T:
    """What `begin` returns, tried again and again while the disk is full: no other fault is mended by waiting."""
    for attempt in count():
        try:
            return begin()
        except (SpoolFullError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            wait_seconds = ROOM_FLOOR_SECONDS + delay_seconds(attempt, None, random)
            _log.error("start-put-off", reason=str(error), retry_in_seconds=round(wait_seconds, 3))
        clock.wait(threading.Event(), wait_seconds)
    raise AssertionError("it is tried without end")
