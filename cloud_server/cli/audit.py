"""`dctwire audit`: who changed what, and whether the record of it is whole."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cloud_server.cli.change_blocks import change_block
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.options import DEFAULT_SERVER, TIME_FORMS, AsJson, Server, connected, moment_of, seconds
from cloud_server.cli.output import say, show_json, tell
from cloud_server.errors import BrokenAuditError
from cloud_server.operators.chain import BEGINNING, Chain, Entry
from cloud_server.storage.audit_row import Head
from shared.text_table import output_columns

PAGE = 1000
_HASH = re.compile("[0-9a-f]{64}")


def head_hash(text: str) -> str:
    """A hash that `dctwire audit verify` printed.

    Raises:
        BadParameter: it is none.
    """
    if not _HASH.fullmatch(text.lower()):
        raise typer.BadParameter("a head has 64 hex digits (0-9, a-f), as dctwire audit verify printed it")
    return text.lower()


Moment = Annotated[datetime | None, typer.Option(metavar="TIME", parser=moment_of, help=TIME_FORMS)]

audit = typer.Typer(help="Who changed what: list it, check that the record is whole, export it.", no_args_is_help=True)


@audit.command("list")
def list_changes(
    since: Moment = None,
    until: Moment = None,
    operator: Annotated[str | None, typer.Option(metavar="NAME", help="List only what this operator changed.")] = None,
    action: Annotated[
        str | None,
        typer.Option(
            metavar="ACTION",
            help="List only changes of this kind, such as device.revoke; device. lists all of devices.",
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="List only changes to this device, family, rollout, operator or frame."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="COUNT", min=1, max=PAGE, help="The most changes to list.")] = 50,
    before: Annotated[int | None, typer.Option(metavar="ROW", min=1, help="List older changes than this row.")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List changes, newest first.

    Example: dctwire audit list --since 2026-11-01 --operator ada
    """
    wanted = {
        "since": seconds(since),
        "until": seconds(until),
        "operator": operator,
        "action": action,
        "subject": subject,
        "limit": limit,
        "before": before,
    }
    with connected(server, as_json=as_json) as client:
        page = client.get("/v1/audit", {name: value for name, value in wanted.items() if value is not None})
        if as_json:
            show_json(page)
            return
        show_changes(page["entries"])
        if len(page["entries"]) == limit:
            say(f"For older changes, repeat the command with --before {page['entries'][-1]['seq']}.")


@audit.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            parser=head_hash,
            help="What this command printed before: then it also finds what was cut off since.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a file that dctwire audit export made, instead.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Work out every hash of the record anew, and name the first row that is not as it was written.

    Keep what it prints where the server cannot change it.

    Example: dctwire audit verify --head 4f2a...
    """
    with connected(server, as_json=as_json) as client:
        end = _verified(_lines(file) if file is not None else every_entry(client), head)
        tell({"rows": end.seq, "head": end.hash}, f"{end.seq} rows, whole. Their head: {end.hash}", as_json=as_json)


@audit.command()
def export(server: Server = DEFAULT_SERVER) -> None:
    """Print the whole record, oldest first, as JSON, a line for each change.

    Example: dctwire audit export >audit.jsonl
    """
    with connected(server, as_json=False) as client:
        for entry in every_entry(client):
            typer.echo(entry.model_dump_json(ensure_ascii=True))


def show_changes(entries: Sequence[dict[str, Any]]) -> None:
    """Changes as blocks of lines that fit the terminal."""
    blocks = [change_block(entry, output_columns()) for entry in entries]
    say("\n\n".join(["Changes", *blocks]) + "\n" if blocks else "Nothing that fits was changed.")


def every_entry(client: OperatorClient) -> Iterator[Entry]:
    """The whole record, oldest first, as far as it went when this began.

    Raises:
        BrokenAuditError: rows at its end are not there.
    """
    after, end = 0, None
    while end is None or after < end:
        page = client.get("/v1/audit", {"after": after, "limit": PAGE})
        end = page["head_seq"] if end is None else end
        entries = [Entry.model_validate(row) for row in page["entries"] if row["seq"] <= end]
        yield from entries
        if not entries and after < end:
            raise BrokenAuditError(after + 1, "is not there")
        after = entries[-1].seq if entries else after


def _verified(entries: Iterator[Entry], head: str | None) -> Head:
    """The end of a chain that is whole, and goes through the row with the hash `head`."""
    chain, is_met = Chain(), head is None or head == BEGINNING.hash
    for entry in entries:
        chain.follow(entry.row())
        is_met = is_met or chain.head.hash == head
    if not is_met and chain.head.seq == 0:
        raise BrokenAuditError(1, "is not there, though a head was kept: rows were cut off")
    if not is_met:
        raise BrokenAuditError(
            chain.head.seq, "is the last one, and none has the hash that was kept: rows were cut off"
        )
    return chain.head


def _lines(file: Path) -> Iterator[Entry]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield Entry.model_validate_json(line)
            except ValidationError:
                raise BrokenAuditError(number, "is no row of an export") from None
