"""`dctwire-server`: what can be asked of it on the command line, and what is said when it cannot be done."""

import json
import sys
import time
from pathlib import Path
from textwrap import TextWrapper
from typing import Annotated, Any, NoReturn

import structlog
import typer
import uvloop
from prometheus_client import disable_created_metrics
from pydantic import ValidationError

from cloud_server.app import System, serve
from cloud_server.certificates import CertificateError
from cloud_server.errors import DatabaseReplacedError, DatabaseUrlError, ListenError, SchemaError, StorageError
from cloud_server.events.endpoints import WebhooksFileError
from cloud_server.listeners import allow_open_files
from cloud_server.logs import logging_to
from cloud_server.open_storage import engine_of, keys_of
from cloud_server.operators.first_admin import renew_admin
from cloud_server.operators.secrets import new_token
from cloud_server.operators.token_file import TOKEN_FILE, write_token
from cloud_server.settings import ServerSettings, described
from cloud_server.storage.backup import KEYS, Backup, BackupError, back_up, note_backup, restore
from cloud_server.storage.data_lock import DataInUseError, DataLock
from cloud_server.storage.engine import FILE as DATABASE_FILE
from cloud_server.storage.migrating import migrate
from shared.command_line import EXIT_USAGE, CommandLine, program_options
from shared.text_table import output_columns
from shared.trust import TrustError

OPEN_FILES = 1024  # beside the connections of the three planes
_CANNOT_START = (
    OSError,
    ListenError,
    StorageError,
    SchemaError,
    DatabaseUrlError,
    DataInUseError,
    CertificateError,
    WebhooksFileError,
)
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


@cli.command("admin-token")
def renew_admin_token(
    data: Annotated[Path | None, _option("data")] = None,
) -> None:
    """Make a new token for the operator `admin`, whose earlier ones let nobody in any more: when it is lost.

    It is written to DATA/admin-token, which only its owner can read. The server may run meanwhile. The database is the
    one that `run` would use: DCTWIRE_SERVER_DATABASE_URL, or a file in DATA.

    Example: dctwire-server admin-token --data server-data
    """
    settings = _settings({"data": data} if data else {})
    token, path = new_token(), settings.data / TOKEN_FILE
    try:
        engine = engine_of(settings)
        migrate(engine)
        write_token(path, token)
        with engine.begin() as connection:
            renew_admin(connection, token, time.time())
        engine.dispose()
    except (OSError, StorageError, SchemaError, DatabaseUrlError) as error:
        _give_up(f"cannot make a token: {error}")
    typer.echo(f"The token of the operator admin is in {path}; its earlier ones let nobody in any more.")


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
    allow_open_files(OPEN_FILES + 3 * settings.connections_max)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else every counter is exported twice
    try:
        with logging_to(sys.stderr) as log_counts:
            uvloop.run(serve(settings, _announce, log_counts))
    except TrustError as error:
        _give_up(f"{error}\n{_trust_advice(settings)}")
    except DatabaseReplacedError as error:
        _give_up(str(error))
    except _CANNOT_START as error:
        _give_up(f"cannot start: {error}")


@cli.command("backup")
def back_up_data(
    out: Annotated[Path, typer.Argument(help="A new folder, for the backup.", metavar="OUT")],
    data: Annotated[Path | None, _option("data")] = None,
    with_keys: Annotated[bool, typer.Option("--with-keys", help="Also copy the online keys. Keep OUT secret.")] = False,
) -> None:
    """Copy everything that the server has to the folder OUT; it may run meanwhile.

    The database is of one moment, with the blobs and frames that it names. What is not in DATA is not copied: of
    PostgreSQL take a dump (pg_dump), before this command; a bucket has means of its own.

    Example: dctwire-server backup --data server-data backups/2026-11-29
    """
    settings = _settings({"data": data} if data else {})
    has_database, has_blobs = settings.database_url is None, settings.s3_bucket is None
    keys = keys_of(settings) if with_keys else None
    try:
        backup = back_up(settings.data, out, time.time(), keys=keys, has_database=has_database, has_blobs=has_blobs)
    except (OSError, BackupError) as error:
        _give_up(f"cannot back up: {error}")
    typer.echo(f"{out} holds {_held(backup)}.")
    try:
        note_backup(settings.data, backup)
    except OSError as error:
        typer.echo(f"The server's metrics will not tell of it: {error}", err=True)
    if not has_database:
        typer.echo("The database is PostgreSQL: keep a dump of it beside (pg_dump).")
    if not has_blobs:
        typer.echo("Blobs and frames are in the bucket: keep its versions, or a copy of it.")
    if not with_keys:
        typer.echo(f"The online keys are not in it: keep {keys_of(settings)} apart, or say --with-keys.")


@cli.command("restore")
def restore_data(
    backup: Annotated[Path, typer.Argument(help="The folder that backup made.", metavar="BACKUP")],
    data: Annotated[Path, typer.Option(help="A new folder: the restored server's.")],
) -> None:
    """Lay out a data folder from a backup, each file checked by its digest. Then start the server on it.

    Devices that are ahead of the backup converge by themselves: nothing is to be done to them.

    Example: dctwire-server restore backups/2026-11-29 --data server-data
    """
    try:
        restored = restore(backup, data)
    except (OSError, BackupError) as error:
        _give_up(f"cannot restore: {error}")
    typer.echo(f"{data} holds {_held(restored)}.")
    _tell_what_is_missing(restored, data)
    typer.echo(f"Next: dctwire-server run --data {data}")


def _tell_what_is_missing(restored: Backup, data: Path) -> None:
    if restored.keys is None:
        typer.echo(f"The backup has no online keys: copy the server's folder of them to {data / KEYS}.")
    if restored.database_sha256 is None:
        typer.echo("The backup has no database: load the dump into PostgreSQL (psql or pg_restore), and void its claim")
        typer.echo("codes: DELETE FROM claims WHERE used_at IS NULL.")
    else:
        typer.echo("Claim codes that the backup holds as unused are void: make new ones (dctwire claim FAMILY).")


def _held(backup: Backup) -> str:
    """What a backup holds, in words."""
    parts = ["the database"] if backup.database_sha256 is not None else []
    parts += [f"{count} {name}" for name, count in (backup.blobs or {}).items()]
    parts += ["the online keys"] if backup.keys is not None else []
    return ", ".join(parts) or "nothing"


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
    if (settings.data / DATABASE_FILE).exists():
        return f"{settings.data} has a database: copy the online keys that belong to it into {keys_of(settings)}"
    return f"First make keys and metadata: dctwire trust init --keys KEYS --data {settings.data}"


def _give_up(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(EXIT_USAGE)


def main() -> None:
    """Entry point."""
    cli()
