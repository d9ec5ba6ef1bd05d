"""How the CLI speaks: tables for people, JSON for programs, and errors that say what to do next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from shared.errors import DctwireError
from shared.text_table import output_columns, text_table

EXIT_FAILED = 1

_WAIT = "Try again in a moment; the server's log tells more"
_OTHER_VERSION = (
    "Do this program and the server have the same version? Compare: dctwire --version, dctwire-server --version"
)
NEXT_STEPS = {
    "address": "Name the operator plane as http://HOST:PORT, with --server or DCTWIRE_OPERATOR_URL",
    "bad-request": "Correct what the error names; the command's --help says what it takes",
    "conflict": "See each bundle's number, floor and state with: dctwire bundles",
    "disk": "Check the path: does it exist, is it the right kind, may you use it?",
    "internal": "This is a fault of the server's: its log has the cause, in the event request-failed",
    "invalid-bundle": "Export the folder again with: dctwire-trainer export",
    "invalid-tables": "Export the folder again with: dctwire-trainer export",
    "no-tls": "dctwire-server itself speaks plain HTTP: name the operator plane as --server http://HOST:PORT. Where "
    "https is right, have this machine trust the certificate that is shown there",
    "not-found": "See what is published with: dctwire bundles",
    "not-ready": _WAIT,
    "proxy": "Correct the variable, or unset it",
    "queue-full": _WAIT,
    "quota-exceeded": _WAIT,
    "selftest-failed": "Trainer and server must run the same dctwire version; install it and export again",
    "timed-out": _WAIT,
    "too-large": "Make it smaller, or have the server take more: DCTWIRE_SERVER_BLOB_MAX_BYTES",
    "unknown-family": "See the families with: dctwire status",
    "unreachable": "Is the server running, and is --server its operator plane? Start it: dctwire-server run",
    "unreachable-by-proxy": "Is the proxy running, and does it reach the server? Correct the variable that names it, "
    "or name the server's host in NO_PROXY",
    "unsupported-bundle": "Update dctwire here, on the server and on the devices, then publish again",
    "untrusted": "Sign with the keys that dctwire trust init made for this server (--keys). If they are these, compare "
    "the clocks of both machines",
    "wrong-plane": "Name the operator plane with --server or DCTWIRE_OPERATOR_URL: dctwire-server prints its address "
    "as `operator` when it starts, and keeps it in DATA/addresses.json",
}
"""What to do next, by the code of the error; commands know better for some."""


def show_json(document: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(document))


def show_table(title: str, rows: Sequence[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
    """Rows as a table; `columns` gives each field its heading, `empty` says what to do when there are none."""
    if not rows:
        typer.echo(empty)
        return
    cells = [[_cell(name, row.get(name)) for name in columns] for row in rows]
    typer.echo(f"{title}\n\n{text_table([*columns.values()], cells, output_columns())}\n")


def warn(text: str) -> None:
    """A line on stderr; what was asked for is done all the same."""
    errors = Console(stderr=True, soft_wrap=True)
    errors.print(f"[bold yellow]Warning:[/] {escape(text)}", highlight=False)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_at"):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z"
    return " ".join(str(value).split())


@contextmanager
def explained_errors(*, as_json: bool, hints: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn our errors, and the disk's, into a message with a next step and exit code 1; with `--json`, into JSON.

    `hints` are next steps by code that fit the command better than the usual ones.
    """
    try:
        yield
    except (DctwireError, OSError) as error:
        code = "disk" if isinstance(error, OSError) else str(getattr(error, "code", ""))
        next_step = (NEXT_STEPS | dict(hints or {})).get(code, _OTHER_VERSION if code else "")
        if as_json:
            show_json({"error": {"code": code, "detail": str(error), "next": next_step}})
        else:
            errors = Console(stderr=True, soft_wrap=True)
            errors.print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False)
            if next_step:
                errors.print(f"[bold]Next:[/] {escape(next_step)}", highlight=False)
        raise typer.Exit(EXIT_FAILED) from error
