"""What a source is opened with: the wishes of whoever runs the sensor, and what it needs from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensor_client.clock import Clock
from sensor_client.sources.health import SourceHealth


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """How to take pictures from an address.

    Args:
        is_looping: whether a source with an end begins again there.
        waits: whether a watched folder without a new picture is waited for; otherwise it ends there.
        may_end: whether the end of a pipe is in order, or the loss of a camera.
        is_watched: whether a folder is looked at again and again for new pictures, each of which is taken once.
        deletes_taken: whether a watched folder's pictures are deleted once they are in the spool.
        login: a file with `user:password` for a camera that asks for it.
        authorities: a file with certificates (PEM) that alone may vouch for an https camera.
        keeps_newest: whether pictures of a pipe that come faster than they are taken are passed over for newer ones.
    """

    is_looping: bool = True
    waits: bool = True
    may_end: bool = True
    is_watched: bool = False
    deletes_taken: bool = False
    keeps_newest: bool = False
    login: Path | None = None
    authorities: Path | None = None


@dataclass(frozen=True, kw_only=True)
class SourceSurroundings:
    """What sources get from outside.

    Args:
        random: uniform in [0, 1).
        health: where it is told how the source does.
        memory: a folder of the state directory for what a source must know after a restart.
        input_descriptor: the program's standard input.
    """

    clock: Clock
    random: Callable[[], float]
    health: SourceHealth
    memory: Path
    input_descriptor: int = 0
