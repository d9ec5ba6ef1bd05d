"""Settings of what is kept on disk until the server has it."""

from dataclasses import dataclass
from typing import Annotated

import typer

from sensor_client.spool import SpoolLimits
from shared.wire import COUNT_MAX


@dataclass(frozen=True, kw_only=True)
class SpoolOptions:
    """How much the spool keeps."""

    spool_bytes: Annotated[
        int,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_SPOOL_BYTES",
            min=1,
            max=COUNT_MAX,
            help="Quota of the spool in bytes; over it, the oldest frames of the lowest priority are dropped.",
        ),
    ] = SpoolLimits.frame_bytes
    spool_frames: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            envvar="DCTWIRE_SENSOR_SPOOL_FRAMES",
            min=1,
            max=COUNT_MAX,
            help="Quota of the spool as a number of frames.",
        ),
    ] = SpoolLimits.frames
    spool_days: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            envvar="DCTWIRE_SENSOR_SPOOL_DAYS",
            min=0.001,
            max=10_000.0,
            help="For how many days of the program's running a frame waits at most; by default, while there is room.",
        ),
    ] = None
