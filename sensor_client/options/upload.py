"""Settings of what is sent, and how."""

from dataclasses import dataclass
from typing import Annotated

import typer

from sensor_client.clock import LONGEST_WAIT_SECONDS
from shared.wire import BATCH_MAX_FRAMES, COUNT_MAX


@dataclass(frozen=True, kw_only=True)
class UploadOptions:
    """How frames go to the server."""

    batch: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            envvar="DCTWIRE_SENSOR_BATCH",
            min=1,
            max=BATCH_MAX_FRAMES,
            help="Frames in one request; the more, the fewer bytes each frame costs.",
        ),
    ] = 1
    linger: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            envvar="DCTWIRE_SENSOR_LINGER",
            min=0.0,
            max=LONGEST_WAIT_SECONDS,
            help="Seconds that an incomplete batch waits for frames.",
        ),
    ] = 5.0
    budget_hour: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_BUDGET_HOUR",
            min=1,
            max=COUNT_MAX,
            help="Bytes that may cross the network in an hour (UTC), both ways, TLS included; without it, any number.",
        ),
    ] = None
    budget_day: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_BUDGET_DAY",
            min=1,
            max=COUNT_MAX,
            help="The same for a day (UTC), beside the others.",
        ),
    ] = None
    budget_month: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            envvar="DCTWIRE_SENSOR_BUDGET_MONTH",
            min=1,
            max=COUNT_MAX,
            help="The same for a calendar month (UTC), beside the others.",
        ),
    ] = None
    budget_hard: Annotated[
        bool,
        typer.Option(
            "--budget-hard/--budget-soft",
            envvar="DCTWIRE_SENSOR_BUDGET_HARD",
            help="Hard: over a budget nothing is sent at all. Soft: ordinary frames wait, the urgent, heartbeats and "
            "new tables go on.",
        ),
    ] = False
    metered: Annotated[
        bool,
        typer.Option(
            "--metered/--unmetered",
            envvar="DCTWIRE_SENSOR_METERED",
            help="Each byte costs: incomplete batches wait ten minutes at least, no probes are made, and new tables "
            "are asked for when a reply tells of them, else once a day.",
        ),
    ] = False
    show_results: Annotated[
        bool, typer.Option("--show-results", help="Ask for each frame's label and log it (costs bytes).")
    ] = False
