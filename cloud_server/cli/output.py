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
from shared.plain_text import escaped, escaped_lines
from shared.text_table import output_columns, text_table

EXIT_FAILED = 1

_WAIT = "Try again in a moment; the server's log tells more"
_OTHER_VERSION = (
    "Do this program and the server have the same version? Compare: dctwire --version, dctwire-server --version"
)
NEXT_STEPS = {
    "address": "Name the operator plane as http://HOST:PORT, with --server or DCTWIRE_OPERATOR_URL",
    "audit-broken": "Compare with an earlier export and with backups: only who can write the database can do this",
    "bad-request": "Correct what the error names; the command's --help says what it takes",
    "below-floor": "Choose one at or above the floor; see: dctwire bundles",
    "conflict": "See each bundle's number, floor and state with: dctwire bundles",
    "disk": "Check the path: does it exist, is it the right kind, may you use it?",
    "ended-operator-token": "Ask an admin for what the error names. The only admin types on the server's machine: "
    "dctwire-server admin-token --data DATA",
    "file-exists": "Name another file, or move this one away",
    "internal": "This is a fault of the server's: its log has the cause, in the event request-failed",
    "invalid-bundle": "Export the folder again with: dctwire-trainer export",
    "invalid-operator-token": "Name the file that holds your token, with --token-file or DCTWIRE_OPERATOR_TOKEN_FILE. "
    "The first admin's lies on the server's machine: it is DATA/admin-token, DATA as in dctwire-server run --data DATA",
    "invalid-tables": "Export the folder again with: dctwire-trainer export",
    "key-file": "Check the file, and its passphrase: --passphrase-file FILE",
    "no-tls": "On loopback the operator plane speaks plain HTTP unless it is set otherwise: --server http://HOST:PORT. "
    "Where https is right, have this machine trust the server's certificate or its authority: SSL_CERT_FILE=FILE",
    "not-confirmed": "Repeat the command with --yes; nothing brings the data back",
    "not-found": "See what is published with: dctwire bundles",
    "not-listed": "List it anew, with the folder it was published from: dctwire publish FOLDER --keys KEYS. Then "
    "repeat this command",
    "not-ready": _WAIT,
    "not-sent-yet": "See when it was here last: dctwire devices show DEVICE. Then repeat this command",
    "proxy": "Correct the variable, or unset it",
    "queue-full": _WAIT,
    "quota-exceeded": _WAIT,
    "role-needed": "Ask an admin, who can change your role: dctwire operators role NAME ROLE",
    "selftest-failed": "Trainer and server must run the same dctwire version; install it and export again",
    "timed-out": _WAIT,
    "token-file": "Name the file that holds your token, with --token-file or DCTWIRE_OPERATOR_TOKEN_FILE",
    "too-large": "Make it smaller, or have the server take more: DCTWIRE_SERVER_BLOB_MAX_BYTES",
    "unknown-family": "See the families with: dctwire status",
    "unreachable": "Is the server running, and is --server its operator plane? Start it: dctwire-server run",
    "unreachable-by-proxy": "Is the proxy running, and does it reach the server? Correct the variable that names it, "
    "or name the server's host in NO_PROXY",
    "unsafe-channel": "Reach the server through TLS (--server https://HOST), or through SSH: "
    "ssh -N -L 8001:127.0.0.1:8001 HOST, then --server http://127.0.0.1:8001. "
    "Where nobody else can listen: --insecure",
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


def say(text: str) -> None:
    """Lines on stdout, for people: whatever a server stored, the terminal is safe with them."""
    typer.echo(escaped_lines(text))


def tell(document: Any, text: str, *, as_json: bool) -> None:
    """What came of a command: the document for programs, or a text for people."""
    show_json(document) if as_json else say(text)


def show_table(title: str, rows: Sequence[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
    """Rows as a table; `columns` gives each field its heading, `empty` says what to do when there are none."""
    if not rows:
        say(empty)
        return
    cells = [[cell(name, row.get(name)) for name in columns] for row in rows]
    say(f"{title}\n\n{text_table([*columns.values()], cells, output_columns())}\n")


def warn(text: str) -> None:
    """A line on stderr; what was asked for is done all the same."""
    errors = Console(stderr=True, soft_wrap=True)
    errors.print(f"[bold yellow]Warning:[/] {escape(escaped_lines(text))}", highlight=False)


def cell(name: str, value: Any) -> str:
    """A value as people read it; the name says what it is: one that ends in `_at` is a time since 1970."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_at"):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}Z"
    return escaped(" ".join(str(value).split()))


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
            errors.print(f"[bold red]Error:[/] {escape(escaped_lines(str(error)))}", highlight=False)
            if next_step:
                errors.print(f"[bold]Next:[/] {escape(next_step)}", highlight=False)
        raise typer.Exit(EXIT_FAILED) from error
