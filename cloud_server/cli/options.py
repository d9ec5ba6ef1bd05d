"""Options that several commands share, and the connection to the server that they name.

How a server is reached is an option of the program, since every command that asks one takes it alike.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getpass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.operator_token import (
    DEFAULT_FILE,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    operator_token,
    require_safe,
)
from cloud_server.cli.output import explained_errors
from shared.command_line import CommandLine, Version
from shared.trust import KeyFileError, Passphrase

DEFAULT_SERVER = "http://127.0.0.1:8001"
_TOKEN_FILE, _INSECURE = "--token-file", "--insecure"

Server = Annotated[
    str, typer.Option("--server", envvar="DCTWIRE_OPERATOR_URL", help="The server's operator plane.", metavar="URL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
TIME_FORMS = "A date, or a date and a time, in UTC: 2026-11-01 or 2026-11-01T12:00:00."
TABLES_FORMS = "The version of a bundle, such as v3; interchange, of ordinary JPEG files; or unknown."
Keys = Annotated[Path, typer.Option("--keys", help="The folder that dctwire trust init made.", metavar="DIR")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="What the key files are encrypted with. Without it, a terminal is asked where a key has a passphrase.",
    ),
]
AskPassphrase = Annotated[
    bool, typer.Option("--passphrase", help="Ask the terminal what the new key files are to be encrypted with.")
]
RaiseFloor = Annotated[
    bool,
    typer.Option(
        "--raise-floor", help="Let what is assigned, pinned or quarantined fall below the floor that the list says."
    ),
]
Family = Annotated[str, typer.Argument(help="The task: one label set, one line of bundles. Example: digits")]
_TABLES = re.compile(r"v[1-9][0-9]*|interchange|unknown")


@dataclass(frozen=True, slots=True)
class Access:
    """How the server may be reached: the token of `token_file`, and whether it may go over plain HTTP."""

    token_file: Path | None = None
    is_insecure: bool = False


_access: ContextVar[Access] = ContextVar("access")


class OperatorLine(CommandLine):
    """The program `dctwire`: the options of `reaching`, which come first, may be typed at every command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Bring them to the front."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, _to_the_front(args[:end]) + args[end:])


def reaching(
    token_file: Annotated[
        Path | None,
        typer.Option(
            _TOKEN_FILE,
            envvar=TOKEN_FILE_VARIABLE,
            show_default=False,
            metavar="FILE",
            help=f"The file that holds your token; every command takes it. Or {TOKEN_VARIABLE}, or ~/{DEFAULT_FILE}.",
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            _INSECURE,
            envvar="DCTWIRE_OPERATOR_INSECURE",
            help="Send the token over plain HTTP, which others on the way can read; every command takes it.",
        ),
    ] = False,
    _version: Version = False,
) -> None:
    """Take the options that say how a server is reached."""
    _access.set(Access(token_file, insecure))


@contextmanager
def connected(server: str, *, as_json: bool, hints: Mapping[str, str] | None = None) -> Iterator[OperatorClient]:
    """A client of the operator plane; errors are explained, with `hints` (by code) as the next step."""
    with explained_errors(as_json=as_json, hints=hints):
        token = token_in_use()
        client = OperatorClient(server, token, os.environ)
        try:
            require_safe(server, token, is_insecure=_access.get().is_insecure)
            yield client
        finally:
            client.close()


def token_in_use() -> str | None:
    """The token of whoever types.

    Raises:
        TokenFileError: where it should be, there is none.
    """
    return operator_token(_access.get().token_file, os.environ, Path.home())


def _to_the_front(words: list[str]) -> list[str]:
    ours: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == _TOKEN_FILE:
            ours += [word, *islice(rest, 1)]
        else:
            (ours if word == _INSECURE or word.startswith(f"{_TOKEN_FILE}=") else others).append(word)
    return ours + others


def passphrase_of(file: Path | None, before_asking: Callable[[], None] = lambda: None) -> Passphrase:
    """How the passphrase of a folder's key files is found: in a file, or by asking the terminal, once a folder."""
    asked: dict[Path, bytes] = {}

    def found(path: Path) -> bytes:
        if file is not None:
            return _read_passphrase(file)
        if not sys.stdin.isatty():
            raise KeyFileError(f"{path} has a passphrase; give it with --passphrase-file")
        folder = path if path.is_dir() else path.parent
        if folder not in asked:
            before_asking()
            asked[folder] = getpass(f"Passphrase of the keys in {folder}: ").encode()
        return asked[folder]

    return found


def new_passphrase(file: Path | None, *, is_asked: bool) -> bytes | None:
    """What new key files are encrypted with: what a file holds, or what a terminal is asked for, twice; or nothing.

    Raises:
        KeyFileError: it is empty, cannot be read, or was not typed twice alike, or there is no terminal.
    """
    if file is None and not is_asked:
        return None
    secret = _read_passphrase(file) if file else _typed_twice()
    if not secret:
        raise KeyFileError("the passphrase is empty")
    return secret


def _read_passphrase(file: Path) -> bytes:
    try:
        return file.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise KeyFileError(
            f"--passphrase-file {file} cannot be read ({error.strerror}). Make it with an editor: the passphrase "
            "as its only line, and chmod 600, so that nobody else reads it. Without the option a terminal is asked"
        ) from error


def _typed_twice() -> bytes:
    if not sys.stdin.isatty():
        raise KeyFileError("no terminal can be asked for a passphrase; give it with --passphrase-file")
    secret = getpass("New passphrase: ")
    if getpass("The same again: ") != secret:
        raise KeyFileError("the two passphrases differ; nothing was written")
    return secret.encode()


def seconds(moment: datetime | None) -> float | None:
    """A time as seconds since 1970."""
    return None if moment is None else moment.timestamp()


def tables_of(text: str) -> str:
    """The tables that devices send, as lists of them have it."""
    if not _TABLES.fullmatch(text):
        raise typer.BadParameter(f"{text!r} are no tables. {TABLES_FORMS}")
    return text


def moment_of(text: str) -> datetime:
    """A time with its zone, which is UTC unless the text has another."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time. {TIME_FORMS}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
