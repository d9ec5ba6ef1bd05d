"""Settings of where pictures come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from shared.wire import COUNT_MAX


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Which camera, and until when."""

    source: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            envvar="DCTWIRE_SENSOR_SOURCE",
            help="A folder of pictures, taken in the order of the numbers in their names (LABEL/INDEX.png); - for a "
            "pipe (MJPEG, PPM, PGM), stdin:frames for files with their length before them; "
            "http(s)://... of an IP camera, a picture or a stream; a video, "
            "/dev/video0 or rtsp://... with the extra [camera].",
        ),
    ]
    watch: Annotated[
        bool,
        typer.Option(
            "--watch/--no-watch",
            envvar="DCTWIRE_SENSOR_WATCH",
            help="Wait for new pictures in the folder, and take each once, also across restarts.",
        ),
    ] = False
    delete_taken: Annotated[
        bool,
        typer.Option(
            "--delete-taken/--keep-taken",
            envvar="DCTWIRE_SENSOR_DELETE_TAKEN",
            help="Delete a picture of a watched folder once it is in the spool; kept: remember that it was taken.",
        ),
    ] = False
    newest: Annotated[
        bool,
        typer.Option(
            "--newest/--every",
            envvar="DCTWIRE_SENSOR_NEWEST",
            help="Pass pictures of a pipe over that come faster than they are taken; without it, the pipe waits.",
        ),
    ] = False
    source_login: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="DCTWIRE_SENSOR_SOURCE_LOGIN",
            help="A file of one line, user:password, for a camera that asks for it; nobody else may read it.",
        ),
    ] = None
    source_ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="DCTWIRE_SENSOR_SOURCE_CA",
            help="Certificates (PEM) that alone may vouch for an https camera, such as its own.",
        ),
    ] = None
    count: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, max=COUNT_MAX, help="Take this many pictures, then no more.")
    ] = None
