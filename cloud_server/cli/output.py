"""How the CLI speaks: tables for people, JSON for programs, and errors that say what to do next."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.errors import ChannelError, DctwireError, RefusedError

EXIT_FAILED = 1

_NEXT_STEPS = {
    "conflict": "See what is there with: dctwire bundles",
    "not-found": "See what is published with: dctwire bundles",
    "untrusted": "Sign with the keys this server was set up with (--keys), or set up a new one: dctwire trust init",
    "invalid-bundle": "Export the folder again with: dctwire-trainer export",
    "unsupported-bundle": "Update dctwire here, on the server and on the devices, then publish again",
    "selftest-failed": "Trainer and server must run the same dctwire version; install it and export again",
}


def show_json(document: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(document))


def show_table(title: str, rows: Sequence[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
    """Rows as a table; `columns` gives each field its heading, `empty` says what to do when there are none."""
    if not rows:
        typer.echo(empty)
        return
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(columns.values()):
        table.add_column(heading, no_wrap=index == 0, overflow="fold")  # the first one names the row: it is typed again
    for row in rows:
        table.add_row(*(escape(_cell(name, row.get(name))) for name in columns))
    Console().print(table)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_at"):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z"
    return str(value)


@contextmanager
def explained_errors(*, as_json: bool, hints: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn our errors, and the disk's, into a message with a next step and exit code 1; with `--json`, into JSON.

    `hints` are next steps by code that fit the command better than the usual ones.
    """
    try:
        yield
    except (DctwireError, OSError) as error:
        code, next_step = _explanation(error)
        next_step = (hints or {}).get(code, next_step)
        if as_json:
            show_json({"error": {"code": code, "detail": str(error), "next": next_step}})
        else:
            errors = Console(stderr=True, soft_wrap=True)
            errors.print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False)
            if next_step:
                errors.print(f"[bold]Next:[/] {next_step}", highlight=False)
        raise typer.Exit(EXIT_FAILED) from error


def _explanation(error: DctwireError | OSError) -> tuple[str, str]:
    if isinstance(error, OSError):
        return "disk", "Check the path: does it exist, is it the right kind, may you use it?"
    if isinstance(error, ChannelError):
        return "unreachable", "Is the server running, and is --server its operator plane? Start it: dctwire-server run"
    code = error.code if isinstance(error, RefusedError) else getattr(error, "code", "")
    return code, _NEXT_STEPS.get(code, "")
