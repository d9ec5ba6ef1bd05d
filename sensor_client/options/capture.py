"""Settings of when a picture is taken, and what is made of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from sensor_client.clock import LONGEST_WAIT_SECONDS
from sensor_client.options.parsed import parsed
from sensor_client.policies import DETAIL_BYTES_PER_HOUR, DETAIL_QUALITY, KEEP_ALIVE_SECONDS, Region, Schedule
from shared.jpeg import Stream
from shared.wire import COUNT_MAX


class SentStream(StrEnum):
    """The kinds of JPEG stream that a server takes."""

    ABBREVIATED = Stream.ABBREVIATED.value
    INTERCHANGE = Stream.INTERCHANGE.value


StreamKind = Annotated[
    SentStream,
    typer.Option(
        "--stream",
        metavar="KIND",
        envvar="DCTWIRE_SENSOR_STREAM",
        help="abbreviated: the tables stay here, the frame names them; interchange: ordinary JPEG files.",
    ),
]


Transcode = Annotated[
    bool,
    typer.Option(
        "--transcode/--no-transcode",
        envvar="DCTWIRE_SENSOR_TRANSCODE",
        help="Make frames of a JPEG's own coefficients; off: of its pixels.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """When to take a picture, and how to encode it."""

    rate: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            envvar="DCTWIRE_SENSOR_RATE",
            min=0.001,
            max=1_000_000.0,
            help="Pictures a second; without it, as many as can be encoded.",
        ),
    ] = None
    sample: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            envvar="DCTWIRE_SENSOR_SAMPLE",
            min=0.0001,
            max=1.0,
            help="Of the pictures that are due, take only this share, chosen by their moments.",
        ),
    ] = 1.0
    on_change: Annotated[
        float | None,
        typer.Option(
            metavar="GREY",
            envvar="DCTWIRE_SENSOR_ON_CHANGE",
            min=0.1,
            max=255.0,
            help="Send only pictures that differ from the one sent last by this many grey levels of 255, where they "
            "differ most; 8 is a good beginning. Without it, all are sent.",
        ),
    ] = None
    keep_alive: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            envvar="DCTWIRE_SENSOR_KEEP_ALIVE",
            min=1.0,
            max=LONGEST_WAIT_SECONDS,
            help="With --on-change, send a picture after this long without one, whatever it shows.",
        ),
    ] = KEEP_ALIVE_SECONDS
    active: Annotated[
        Schedule | None,
        typer.Option(
            metavar="HOURS",
            envvar="DCTWIRE_SENSOR_ACTIVE",
            parser=parsed(Schedule.of),
            help="Take pictures at these hours only, by the device's own time zone, or UTC: 'Mon-Fri 06:00-20:00; "
            "Sat,Sun 22:00-04:00', 'UTC 05:00-19:00'. Uploads and updates go on at all hours.",
        ),
    ] = None
    region: Annotated[
        Region | None,
        typer.Option(
            metavar="X,Y,WIDTH,HEIGHT",
            envvar="DCTWIRE_SENSOR_REGION",
            parser=parsed(Region.of),
            help="Send only this part of each picture, in shares of its width and height: 0.25,0,0.5,1 is the middle.",
        ),
    ] = None
    rare_labels: Annotated[
        str,
        typer.Option(
            metavar="LABEL,...",
            envvar="DCTWIRE_SENSOR_RARE_LABELS",
            help="Frames that the source gives one of these labels are sent first and dropped last.",
        ),
    ] = ""
    details: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            envvar="DCTWIRE_SENSOR_DETAILS",
            min=0.0,
            max=1.0,
            help="Beside this share of the frames, send their pictures as ordinary JPEG, to learn tables from.",
        ),
    ] = 0.0
    details_hour: Annotated[
        int,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_DETAILS_HOUR",
            min=0,
            max=COUNT_MAX,
            help="The most that these may have in an hour.",
        ),
    ] = DETAIL_BYTES_PER_HOUR
    details_quality: Annotated[
        int,
        typer.Option(
            metavar="1..100",
            envvar="DCTWIRE_SENSOR_DETAILS_QUALITY",
            min=1,
            max=100,
            help="The quality of these, as libjpeg counts; the finest that may be set from afar.",
        ),
    ] = DETAIL_QUALITY
    transcode: Transcode = True
    stream: StreamKind = SentStream.ABBREVIATED
    send_labels: Annotated[
        bool,
        typer.Option(
            "--send-labels",
            envvar="DCTWIRE_SENSOR_SEND_LABELS",
            help="The folders' names are the true labels: send each once its frame is acknowledged, to measure "
            "accuracy.",
        ),
    ] = False
    probes: Annotated[
        bool,
        typer.Option(
            "--probes/--no-probes",
            envvar="DCTWIRE_SENSOR_PROBES",
            help="For a week after new tables, encode 1 picture in 200 with the ones before, too, so that the server "
            "can compare the two; off: never.",
        ),
    ] = True
