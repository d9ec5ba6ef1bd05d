"""Settings of the program itself: where it keeps its state and its settings, and what it tells."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogLevel(StrEnum):
    """The least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


State = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        envvar="DCTWIRE_SENSOR_STATE",
        help="The device's own directory: identity, spool, tables.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="DCTWIRE_SENSOR_CONFIG",
        help="Settings (TOML) for what neither the command line nor the environment says; without it, "
        "sensor.toml in --state, if it is there.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class StateOptions:
    """Where the device keeps what it is, and its settings."""

    state: State
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """What the program tells of itself."""

    log_level: Annotated[
        LogLevel,
        typer.Option(
            metavar="LEVEL",
            envvar="DCTWIRE_SENSOR_LOG_LEVEL",
            help="The least that is logged, to stderr: debug, info, warning or error.",
        ),
    ] = LogLevel.INFO
    log_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="DCTWIRE_SENSOR_LOG_FILE",
            help="Log into this file instead of stderr: four files of 1 MiB at most, the older ones FILE.1 to FILE.3.",
        ),
    ] = None
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="DCTWIRE_SENSOR_METRICS_FILE",
            help="Write metrics for Prometheus here every 15 s, such as for node_exporter's textfile collector.",
        ),
    ] = None
    metrics_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            envvar="DCTWIRE_SENSOR_METRICS_PORT",
            min=0,
            max=65535,
            help="Answer GET /metrics at this port.",
        ),
    ] = None
    metrics_host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            envvar="DCTWIRE_SENSOR_METRICS_HOST",
            help="Of --metrics-port; whoever can reach it may read the metrics.",
        ),
    ] = "127.0.0.1"
