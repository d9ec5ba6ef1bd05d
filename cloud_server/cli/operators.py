"""`dctwire operators` and `dctwire tokens`: who may operate the server, and with which tokens."""

import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import typer

from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Server, connected, token_in_use
from cloud_server.cli.output import show_json, show_table, tell, warn
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import OWN, TOKEN_DAYS
from cloud_server.operators.token_file import new_token_file, partial_of
from shared.errors import DctwireError

HINTS = {
    "not-found": "See who there is with: dctwire operators list, and the tokens with: dctwire tokens list",
    "conflict": "See who there is with: dctwire operators list, and the tokens with: dctwire tokens list",
    "bad-request": "A name has small letters, digits, dots, dashes, underscores and @; a token's id has 8 hex digits",
}
TOKEN_COLUMNS = {
    "id": "token",
    "operator": "operator",
    "role": "role",
    "created_at": "made",
    "expires_at": "expires",
    "last_used_at": "last used",
    "revoked_at": "revoked",
    "rotated_from": "rotated from",
}
ROLES = ", ".join(Role)


class FileInTheWayError(DctwireError):
    """What would be written has something in its place, which stays."""

    code: ClassVar[str] = "file-exists"


class NotTheSameError(DctwireError):
    """What was typed twice is not the same."""

    code: ClassVar[str] = "not-the-same"


OperatorName = Annotated[
    str, typer.Argument(help="The operator's name, such as ada or nightly-training.", metavar="NAME")
]
SomeOperator = Annotated[
    str, typer.Argument(help="The operator's name; left out: your own.", metavar="[NAME]", show_default=False)
]
Given = Annotated[
    Role, typer.Argument(help=f"What the operator may do: {ROLES}; each may do what those before it may.")
]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How many days the token lets in.")]
NoExpiry = Annotated[bool, typer.Option("--no-expiry", help="The token lets in until it is revoked.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write the token to this new file, for its owner's eyes; else print it."
    ),
]

operators = typer.Typer(help="Who may operate the server, and in which role (for admins).", no_args_is_help=True)
tokens = typer.Typer(help="The tokens with which operators call.", no_args_is_help=True)


@operators.command("list")
def list_operators(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the operators and their roles.

    Example: dctwire operators list
    """
    with connected(server, as_json=as_json) as client:
        document = client.get("/v1/operators")
        if as_json:
            show_json(document)
            return
        columns = {"name": "operator", "role": "role", "created_at": "made", "disabled_at": "disabled"}
        show_table("Operators", document["operators"], columns, "There is no operator.")


@operators.command()
def add(name: OperatorName, role: Given, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Make the operator NAME, a person or a program.

    Example: dctwire operators add ada approver
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        row = client.post("/v1/operators", {"name": name, "role": role.value})
        steps = f"dctwire operators password {name} (the console), dctwire tokens create {name} (programs)"
        tell(row, f"{name} is {role}. Next: {steps}", as_json=as_json)


@operators.command("role")
def change_role(name: OperatorName, role: Given, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Give NAME another role; it holds for all of the operator's tokens within two seconds.

    Example: dctwire operators role ada viewer
    """
    _change(name, {"role": role.value}, server, as_json=as_json, text=f"{name} is {role}.")


@operators.command()
def disable(name: OperatorName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Refuse all of NAME's tokens, within two seconds. The last admin cannot be disabled.

    Example: dctwire operators disable ada
    """
    _change(name, {"is_disabled": True}, server, as_json=as_json, text=f"{name} is let in no more.")


@operators.command()
def enable(name: OperatorName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Take NAME's tokens again.

    Example: dctwire operators enable ada
    """
    _change(name, {"is_disabled": False}, server, as_json=as_json, text=f"{name} is let in.")


@operators.command()
def password(name: SomeOperator = OWN, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Set the password with which NAME logs in to the console: your own, or as an admin anybody's.

    A terminal is asked for it; else it is the first line of what comes in, and your present one, if any, the second.

    Example: dctwire operators password ada
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        client.put_nothing_back(f"/v1/operators/{quote(name, safe='')}/password", _passwords(is_own=name == OWN))
        whose = "your password" if name == OWN else f"the password of {name}"
        tell(
            {"operator": name},
            f"Set {whose}. Sessions that were open with an old one have ended.",
            as_json=as_json,
        )


@tokens.command("list")
def list_tokens(
    operator: Annotated[str | None, typer.Option(help="List only those of this operator.", metavar="NAME")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List tokens, newest first: an admin sees everybody's, others see their own. What they are is not kept anywhere.

    Example: dctwire tokens list
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        document = client.get("/v1/tokens", {"operator": operator} if operator else None)
        if as_json:
            show_json(document)
            return
        show_table("Tokens", document["tokens"], TOKEN_COLUMNS, "There is no token.")


@tokens.command()
def create(
    name: OperatorName,
    days: Days = TOKEN_DAYS,
    no_expiry: NoExpiry = False,
    out: Out = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Make a token for the operator NAME (for admins). It is shown this once.

    Example: dctwire tokens create ada --out ada-token
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        wanted = {"operator": name, "days": None if no_expiry else days}
        _show(_written(out, lambda: client.post("/v1/tokens", wanted)), as_json=as_json)


@tokens.command()
def rotate(
    token: Annotated[
        str, typer.Argument(help="The id of the token to replace; left out: the one that you use.", metavar="[TOKEN]")
    ] = OWN,
    days: Days = TOKEN_DAYS,
    no_expiry: NoExpiry = False,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="How many hours more the replaced token lets in, at most.")
    ] = 24,
    out: Out = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Make a token in the place of the one that you use; an admin also in the place of another. It is shown this once.

    FILE must be new, or hold the token that is replaced.

    Example: dctwire tokens rotate --out ~/.config/dctwire/token
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        wanted = {"days": None if no_expiry else days, "overlap_hours": overlap_hours}
        replaced = token_in_use() if token == OWN else None
        made = _written(out, lambda: client.post(f"/v1/tokens/{quote(token, safe='')}/rotation", wanted), replaced)
        _show(made, as_json=as_json)


@tokens.command()
def revoke(
    token: Annotated[str, typer.Argument(help="The token's id, as lists have it.", metavar="TOKEN")],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """End a token and all that were rotated from it, at every replica within two seconds.

    Example: dctwire tokens revoke 0f3a9c1e
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        row = client.delete(f"/v1/tokens/{quote(token, safe='')}")
        tell(row, _ended(row), as_json=as_json)


def _passwords(*, is_own: bool) -> dict[str, Any]:
    """What is asked for, or read: the new password, and the present one of whoever sets their own.

    Raises:
        NotTheSameError: the new one was typed in two ways.
    """
    if not sys.stdin.isatty():
        new, current = sys.stdin.readline().rstrip("\r\n"), sys.stdin.readline().rstrip("\r\n")
        return {"password": new, "current": current or None}
    current = getpass("Present password (nothing, if there is none): ") if is_own else ""
    new = getpass("New password: ")
    if getpass("The same again: ") != new:
        raise NotTheSameError("the new password was typed in two ways; nothing was set")
    return {"password": new, "current": current or None}


def _change(name: str, change: dict[str, Any], server: str, *, as_json: bool, text: str) -> None:
    with connected(server, as_json=as_json, hints=HINTS) as client:
        tell(client.put(f"/v1/operators/{quote(name, safe='')}", change), text, as_json=as_json)


def _ended(row: dict[str, Any]) -> str:
    also = row["also_revoked"]
    others = f", nor {'does' if len(also) == 1 else 'do'} {len(also)} that came from it by rotation: {', '.join(also)}"
    return f"Token {row['id']} of {row['operator']} lets nobody in any more{others if also else ''}."


def _written(out: Path | None, ask: Callable[[], dict[str, Any]], replaced: str | None = None) -> dict[str, Any]:
    """Ask for a token, and write it to a file that only its owner can read; nothing is asked where it cannot be.

    Args:
        replaced: the token whose file may be written over.

    Raises:
        FileInTheWayError: there is something else in the file's place.
    """
    if out is None:
        return ask()
    out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = partial_of(out.resolve()) if _holds(out, replaced) else out
    try:
        with new_token_file(file) as write:
            made = ask()
            write(made.pop("token"))
    except FileExistsError as error:
        raise FileInTheWayError(f"{file} exists already, and is not written over; nothing was made") from error
    if file != out:
        file.replace(out.resolve())
    return made | {"file": str(out)}


def _holds(file: Path, token: str | None) -> bool:
    return token is not None and file.is_file() and file.read_bytes().strip() == token.encode()


def _show(made: dict[str, Any], *, as_json: bool) -> None:
    """Tell where a new token is, or what it is."""
    if made["expires_at"] is None:
        warn(f"token {made['id']} lets {made['operator']} in until it is revoked")
    tell(made, made.get("file") or made["token"], as_json=as_json)
