"""Settings of what may be set from afar: others only make a device thriftier, unless these let them do more."""

from dataclasses import dataclass
from typing import Annotated

import typer

from shared.wire import COUNT_MAX


@dataclass(frozen=True, kw_only=True)
class RemoteOptions:
    """How far the operator's signed settings may change what this device does."""

    remote: Annotated[
        bool,
        typer.Option(
            "--remote/--no-remote",
            envvar="DCTWIRE_SENSOR_REMOTE",
            help="Follow the operator's signed settings, within the limits here; off: none of them.",
        ),
    ] = True
    remote_rate_max: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            envvar="DCTWIRE_SENSOR_REMOTE_RATE_MAX",
            min=0.001,
            max=1_000_000.0,
            help="Pictures a second that may be set from afar; without it, no more than --rate.",
        ),
    ] = None
    remote_budget_hour_max: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_REMOTE_BUDGET_HOUR_MAX",
            min=1024,
            max=COUNT_MAX,
            help="Bytes an hour that may be set from afar; without it, no more than the device's own budget.",
        ),
    ] = None
    remote_budget_day_max: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_REMOTE_BUDGET_DAY_MAX",
            min=1024,
            max=COUNT_MAX,
            help="The same for a day.",
        ),
    ] = None
    remote_budget_month_max: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_REMOTE_BUDGET_MONTH_MAX",
            min=1024,
            max=COUNT_MAX,
            help="The same for a month.",
        ),
    ] = None
    remote_share_max: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            envvar="DCTWIRE_SENSOR_REMOTE_SHARE_MAX",
            min=0.0,
            max=1.0,
            help="The share of the pictures that may be set from afar; without it, no more than the device's own.",
        ),
    ] = None
    remote_details_max: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            envvar="DCTWIRE_SENSOR_REMOTE_DETAILS_MAX",
            min=0.0,
            max=1.0,
            help="The share of the frames with a detail that may be set from afar; without it, no more than the "
            "device's own.",
        ),
    ] = None
    remote_region: Annotated[
        bool,
        typer.Option(
            "--remote-region/--no-remote-region",
            envvar="DCTWIRE_SENSOR_REMOTE_REGION",
            help="Let a part of the device's own region be chosen from afar.",
        ),
    ] = True
