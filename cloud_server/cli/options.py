"""Options that several commands share, and the connection to the server that they name."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.output import explained_errors

DEFAULT_SERVER = "http://127.0.0.1:8001"

Server = Annotated[
    str, typer.Option("--server", envvar="DCTWIRE_OPERATOR_URL", help="The server's operator plane.", metavar="URL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
TIME_FORMS = "A date, or a date and a time, in UTC: 2026-11-01 or 2026-11-01T12:00:00."
Family = Annotated[str, typer.Argument(help="The task: one label set, one line of bundles. Example: digits")]


@contextmanager
def connected(server: str, *, as_json: bool, hints: Mapping[str, str] | None = None) -> Iterator[OperatorClient]:
    """A client of the operator plane; errors are explained, with `hints` (by code) as the next step."""
    with explained_errors(as_json=as_json, hints=hints):
        client = OperatorClient(server, os.environ)
        try:
            yield client
        finally:
            client.close()


def seconds(moment: datetime | None) -> float | None:
    """A time as seconds since 1970."""
    return None if moment is None else moment.timestamp()


def moment_of(text: str) -> datetime:
    """A time with its zone, which is UTC unless the text has another."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time. {TIME_FORMS}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
