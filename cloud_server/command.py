"""`dctwire-server`: what can be asked of it on the command line, and what is said when it cannot be done."""

import json
import sys
from pathlib import Path
from textwrap import TextWrapper
from typing import Annotated, Any, NoReturn

import structlog
import typer
import uvloop
from prometheus_client import disable_created_metrics
from pydantic import ValidationError

from cloud_server.app import System, serve
from cloud_server.errors import DatabaseUrlError, ListenError, SchemaError, StorageError
from cloud_server.listeners import allow_open_files
from cloud_server.logs import logging_to
from cloud_server.open_storage import engine_of, keys_of
from cloud_server.settings import ServerSettings, described
from cloud_server.storage.data_lock import DataInUseError, DataLock
from cloud_server.storage.migrating import migrate
from shared.command_line import EXIT_USAGE, CommandLine, program_options
from shared.text_table import output_columns
from shared.trust import TrustError

OPEN_FILES = 1024  # beside the connections of the device and operator planes
_log = structlog.get_logger()
cli = typer.Typer(
    cls=CommandLine,
    callback=program_options,
    help="dctwire's server: classifies frames, publishes table versions.",
    no_args_is_help=True,
    add_completion=False,
)


def _option(name: str) -> Any:
    """The option of a setting, with its help and its default."""
    setting = described(name)
    default = "Needed, here or as its variable." if setting.default == "required" else f"Default: {setting.default}"
    return typer.Option(help=f"{setting.meaning} {default}", show_default=False)


@cli.command("migrate")
def migrate_database(
    data: Annotated[Path | None, _option("data")] = None,
) -> None:
    """Bring the database to this program's schema, and end. `run` does it by itself.

    For an operator who wants it done before the new version starts. The database is the one that `run` would use:
    DCTWIRE_SERVER_DATABASE_URL, or a file in DATA.
    """
    settings = _settings({"data": data} if data else {})
    try:
        lock, engine = DataLock(settings.data), engine_of(settings)
        typer.echo(f"The database is at revision {migrate(engine)}.")
        engine.dispose()
        lock.release()
    except (OSError, StorageError, SchemaError, DatabaseUrlError, DataInUseError) as error:
        _give_up(f"cannot migrate: {error}")


@cli.command()
def run(
    data: Annotated[Path | None, _option("data")] = None,
    device_host: Annotated[str | None, _option("device_host")] = None,
    device_port: Annotated[int | None, _option("device_port")] = None,
    operator_host: Annotated[str | None, _option("operator_host")] = None,
    operator_port: Annotated[int | None, _option("operator_port")] = None,
    ops_host: Annotated[str | None, _option("ops_host")] = None,
    ops_port: Annotated[int | None, _option("ops_port")] = None,
    threads: Annotated[int | None, _option("threads")] = None,
) -> None:
    """Run the server until SIGTERM.

    Every option, and more, can be set as DCTWIRE_SERVER_<NAME>: see `dctwire-server settings`. The addresses in use are
    printed and written to DATA/addresses.json once the server is ready.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    settings = _settings(given)
    allow_open_files(OPEN_FILES + 2 * settings.connections_max)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else every counter is exported twice
    try:
        with logging_to(sys.stderr):
            uvloop.run(serve(settings, _announce))
    except TrustError as error:
        _give_up(f"{error}\n{_trust_advice(settings)}")
    except (OSError, ListenError, StorageError, SchemaError, DatabaseUrlError, DataInUseError) as error:
        _give_up(f"cannot start: {error}")


@cli.command("settings")
def list_settings() -> None:
    """List everything that can be set by a variable, its default on this machine, and what it is for."""
    wrapped = TextWrapper(output_columns(), initial_indent="    ", subsequent_indent="    ")
    wrapped.break_long_words = wrapped.break_on_hyphens = False
    for name in ServerSettings.model_fields:
        setting = described(name)
        typer.echo(f"{setting.variable}\n    default: {setting.default}\n{wrapped.fill(setting.meaning)}\n")


def _announce(system: System) -> None:
    addresses = system.addresses()
    _log.info("server-ready", **addresses)
    typer.echo(json.dumps(addresses))


def _settings(given: dict[str, Any]) -> ServerSettings:
    try:
        return ServerSettings(**given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        _give_up(f"--{name.replace('_', '-')} (DCTWIRE_SERVER_{name.upper()}): {fault['msg']} (see --help)")


def _trust_advice(settings: ServerSettings) -> str:
    if keys_of(settings).exists():
        return f"{settings.data} was set up already: restore {keys_of(settings)} and the database from a backup"
    return f"First make keys and metadata: dctwire trust init --keys KEYS --data {settings.data}"


def _give_up(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(EXIT_USAGE)


def main() -> None:
    """Entry point."""
    cli()
