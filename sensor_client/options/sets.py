"""Which settings a command takes. Dataclasses list the fields of their last base first: so does a command's help."""

from dataclasses import dataclass
from typing import Annotated

import typer

from sensor_client.clock import LONGEST_WAIT_SECONDS
from sensor_client.options.capture import CaptureOptions
from sensor_client.options.program import ProgramOptions, StateOptions
from sensor_client.options.remote import RemoteOptions
from sensor_client.options.source import SourceOptions
from sensor_client.options.spooling import SpoolOptions
from sensor_client.options.upload import UploadOptions


@dataclass(frozen=True, kw_only=True)
class CameraOptions(
    ProgramOptions, RemoteOptions, SpoolOptions, UploadOptions, CaptureOptions, SourceOptions, StateOptions
):
    """What every command takes that takes pictures."""

    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Take and encode pictures, print what would be sent, and neither send nor keep it."
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class RunOptions(CameraOptions):
    """The settings of `run`."""

    loop: Annotated[
        bool, typer.Option("--loop/--once", help="Begin again after the last picture, or end after it.")
    ] = True
    exit_when_drained: Annotated[
        bool,
        typer.Option("--exit-when-drained", help="End once the source has ended and the server has every frame."),
    ] = False
    poll: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            envvar="DCTWIRE_SENSOR_POLL",
            min=1.0,
            max=LONGEST_WAIT_SECONDS,
            help="Seconds between two questions for new tables; the reply to a frame tells of them at once.",
        ),
    ] = 300.0


@dataclass(frozen=True, kw_only=True)
class OnceOptions(CameraOptions):
    """The settings of `once`."""

    deadline: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            envvar="DCTWIRE_SENSOR_DEADLINE",
            min=1.0,
            max=LONGEST_WAIT_SECONDS,
            help="`once` ends within this time; what was not sent waits for the next one.",
        ),
    ] = 60.0


@dataclass(frozen=True, kw_only=True)
class EverySetting(OnceOptions, RunOptions):
    """What a configuration file may hold: the settings of every command that reads it."""
