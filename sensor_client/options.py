"""The options of the command line: their names, limits, environment variables and help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shared.jpeg import Stream
from shared.wire import BATCH_MAX_FRAMES


class SentStream(StrEnum):
    """The kinds of JPEG stream that a server takes."""

    ABBREVIATED = Stream.ABBREVIATED.value
    INTERCHANGE = Stream.INTERCHANGE.value


class LogLevel(StrEnum):
    """The least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


State = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="DCTWIRE_SENSOR_STATE",
        help="The device's own directory: identity, spool, tables.",
    ),
]
Server = Annotated[
    str, typer.Option(metavar="URL", envvar="DCTWIRE_SENSOR_SERVER", help="The device plane, such as http://host:8000.")
]
Claim = Annotated[
    str,
    typer.Option(
        metavar="CODE", envvar="DCTWIRE_SENSOR_CLAIM", help="One-time code that the operator made (`dctwire claim`)."
    ),
]
Root = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        envvar="DCTWIRE_SENSOR_ROOT",
        exists=True,
        dir_okay=False,
        help="TUF root metadata: whose bundles this device will believe.",
    ),
]
Source = Annotated[
    str,
    typer.Option(
        metavar="DIR",
        envvar="DCTWIRE_SENSOR_SOURCE",
        help="A folder of pictures, taken in the order of the numbers in their names (LABEL/INDEX.png).",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        envvar="DCTWIRE_SENSOR_RATE",
        min=0.001,
        help="Pictures a second; without it, as many as can be encoded.",
    ),
]
Loop = Annotated[bool, typer.Option("--loop/--once", help="Begin again after the last picture, or end after it.")]
Count = Annotated[int | None, typer.Option(metavar="NUMBER", min=1, help="Take this many pictures, then no more.")]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch",
        metavar="NUMBER",
        envvar="DCTWIRE_SENSOR_BATCH",
        min=1,
        max=BATCH_MAX_FRAMES,
        help="Frames in one request; the more, the fewer bytes each frame costs.",
    ),
]
Linger = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        envvar="DCTWIRE_SENSOR_LINGER",
        min=0.0,
        help="Seconds that an incomplete batch waits for frames.",
    ),
]
StreamKind = Annotated[
    SentStream,
    typer.Option(
        "--stream",
        metavar="KIND",
        envvar="DCTWIRE_SENSOR_STREAM",
        help="abbreviated: the tables stay here, the frame names them; interchange: ordinary JPEG files.",
    ),
]
SendLabels = Annotated[
    bool,
    typer.Option(
        "--send-labels",
        envvar="DCTWIRE_SENSOR_SEND_LABELS",
        help="The folders' names are the true labels: send each once its frame is acknowledged, to measure accuracy.",
    ),
]
ShowResults = Annotated[
    bool, typer.Option("--show-results", help="Ask for each frame's label and log it (costs bytes).")
]
ExitWhenDrained = Annotated[
    bool, typer.Option("--exit-when-drained", help="End once the source has ended and the server has every frame.")
]
Poll = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        envvar="DCTWIRE_SENSOR_POLL",
        min=1.0,
        help="Seconds between two questions for new tables; the reply to a frame tells of them at once.",
    ),
]
SpoolBytes = Annotated[
    int,
    typer.Option(
        metavar="BYTES",
        envvar="DCTWIRE_SENSOR_SPOOL_BYTES",
        min=1,
        help="Quota of the spool in bytes; over it, the oldest frames are dropped, counted and logged.",
    ),
]
SpoolFrames = Annotated[
    int,
    typer.Option(
        metavar="NUMBER", envvar="DCTWIRE_SENSOR_SPOOL_FRAMES", min=1, help="Quota of the spool as a number of frames."
    ),
]
Level = Annotated[
    LogLevel,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        envvar="DCTWIRE_SENSOR_LOG_LEVEL",
        help="The least that is logged, to stderr: debug, info, warning or error.",
    ),
]
Images = Annotated[
    list[Path],
    typer.Argument(
        metavar="PICTURE...", exists=True, dir_okay=False, help="Pictures: JPEG, PNG, WebP, TIFF, BMP, GIF, PPM."
    ),
]
BundleFile = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="FILE", exists=True, dir_okay=False, help="Use the tables and the size of this bundle.json."
    ),
]
Quality = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", min=1, max=100, help="Use the standard tables at this quality; sizes stay."),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write the streams into this folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]
