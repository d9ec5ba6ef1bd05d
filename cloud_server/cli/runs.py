"""`dctwire runs`: ask for trainings, look at them; and what the trainer's service asks and tells by this program."""

import json
import re
import time
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Family, Server, connected
from cloud_server.cli.output import say, show_json, show_table, tell
from cloud_server.cli.run_view import described, one_line, signals_told
from shared.errors import DctwireError
from shared.plain_text import escaped

FILE_BYTES_MAX = 64 << 10
_TRIGGERS = "operator, schedule, labels, drift or gap"
HINTS = {
    "bad-request": "Correct what the error names; a run's name stands in: dctwire runs list",
    "conflict": "See how it stands with: dctwire runs list",
    "not-found": "See the runs with: dctwire runs list; and what is published with: dctwire bundles",
    "document": "docs/runs.md says what a document holds",
    "too-large": "A document has 64 KiB at most; leave out what the report of the run has",
}
_RUN = re.compile(r"[a-z2-7]{8}")


def run_name(text: str) -> str:
    """A run's name, as it was typed."""
    if not _RUN.fullmatch(text):
        raise typer.BadParameter(f"{escaped(text[:40])!r} is no run's name: eight letters and digits, such as q3f8a2kd")
    return text


RunName = Annotated[
    str, typer.Argument(help="The run's name; see: dctwire runs list", metavar="RUN", callback=run_name)
]
Worker = Annotated[
    str, typer.Option("--worker", metavar="NAME", help="What the trainer calls itself; the same after each start.")
]
Seconds = Annotated[
    float,
    typer.Option(
        "--seconds", metavar="NUMBER", min=10, max=3600, help="How long it is not overdue, unless it tells before."
    ),
]

runs = typer.Typer(
    help="Trainings: which wait, which is under way, what came of the others.\n\nExample: dctwire runs ask digits",
    no_args_is_help=True,
)


class DocumentError(DctwireError):
    """A file holds no document of a run."""

    code: ClassVar[str] = "document"


@runs.command("list")
def list_runs(
    family: Annotated[str | None, typer.Option("--family", help="Of this family.", metavar="FAMILY")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, the newest first.", min=1, max=100)] = 20,
    after: Annotated[str | None, typer.Option("--after", help="Those before this one.", metavar="RUN")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List trainings, the newest first.

    Example: dctwire runs list --family digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        asked = {"limit": limit, "family": family, "after": after}
        page = client.get("/v1/runs", {name: value for name, value in asked.items() if value is not None})
        if as_json:
            show_json(page)
            return
        rows = [row | {"stands": one_line(row)} for row in page["runs"]]
        columns = {
            "id": "run",
            "family": "family",
            "trigger": "because of",
            "stands": "stands",
            "created_at": "asked",
            "ended_at": "ended",
        }
        show_table("Trainings", rows, columns, "There is none. Ask for one with: dctwire runs ask FAMILY")
        if page["next"]:
            say(f"For older ones, repeat the command with --after {page['next']}.")


@runs.command()
def show(run: RunName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show one training: what each gate said, what was measured, what it cost.

    Example: dctwire runs show q3f8a2kd
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        document = client.get(f"/v1/runs/{run}")
        show_json(document) if as_json else say(described(document, time.time()))


@runs.command()
def ask(
    family: Family,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for those who look at it later.")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Have FAMILY trained anew, as soon as a trainer's service takes the run.

    Example: dctwire runs ask digits --reason "new lamps"
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        made = client.post("/v1/runs", {"family": family, "reason": reason})
        next_step = f"Next: dctwire runs show {made['id']}"
        tell(made, f"Run {made['id']} of {family} waits for a trainer. {next_step}", as_json=as_json)


@runs.command()
def cancel(run: RunName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """End a training that waits or is under way; its trainer stops within a minute or so.

    Example: dctwire runs cancel q3f8a2kd
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        ended = client.post(f"/v1/runs/{run}/cancel", {})
        tell(ended, f"Run {run} of {ended['family']} is cancelled.", as_json=as_json)


@runs.command()
def signals(family: Family, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show what says whether it is time to train FAMILY anew: labels, drift, accuracy, the last run.

    Example: dctwire runs signals digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        told = client.get("/v1/training-signals", {"family": family})
        show_json(told) if as_json else say(signals_told(told))


@runs.command()
def take(
    family: Family,
    trigger: Annotated[str, typer.Option("--trigger", metavar="WHY", help=f"Why, where none waits: {_TRIGGERS}.")],
    worker: Worker,
    seconds: Seconds = 120,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """For a trainer: have FAMILY's run that waits, or your own again, or one that nobody has any more; else a new one.

    Example: dctwire runs take digits --trigger labels --worker trainer-1
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        asked = {"family": family, "trigger": trigger, "worker": worker, "seconds": seconds}
        run = client.post("/v1/runs/take", asked)
        next_step = f"Tell how far it is with: dctwire runs tell {run['id']} --worker {worker}"
        tell(run, f"Run {run['id']} of {family} is {worker}'s. {next_step}", as_json=as_json)


@runs.command("tell")
def tell_of_run(
    run: RunName,
    worker: Worker,
    seconds: Seconds = 120,
    stage: Annotated[str | None, typer.Option("--stage", help="What is being done.", metavar="NAME")] = None,
    share: Annotated[
        float | None, typer.Option("--share", help="How much of it is done, from 0 to 1.", min=0, max=1)
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """For a trainer: say how far RUN is, and have it for longer. Exit status 1: it is yours no more; stop.

    Example: dctwire runs tell q3f8a2kd --worker trainer-1 --stage train --share 0.4
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        told = client.post(
            f"/v1/runs/{run}/tell", {"worker": worker, "seconds": seconds, "stage": stage, "share": share}
        )
        tell(told, f"Run {run}: {one_line(told)}.", as_json=as_json)


@runs.command()
def end(
    run: RunName,
    worker: Worker,
    outcome: Annotated[str, typer.Option("--outcome", metavar="WHAT", help="published, draft, refused or failed.")],
    document: Annotated[
        Path | None,
        typer.Option("--document", metavar="FILE", help="JSON: verdicts, figures, cost; see docs/runs.md."),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """For a trainer: say what came of RUN. Safe to repeat.

    Example: dctwire runs end q3f8a2kd --worker trainer-1 --outcome published --document run.json
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        asked: dict[str, Any] = {"worker": worker, "outcome": outcome}
        ended = client.post(
            f"/v1/runs/{run}/end", asked if document is None else asked | {"document": document_in(document)}
        )
        tell(ended, f"Run {run} of {ended['family']} has ended: {outcome}.", as_json=as_json)


def document_in(file: Path) -> dict[str, Any]:
    """The JSON object in a file, each of its texts made one line: what programs say of their errors often has several.

    Raises:
        DocumentError: it holds none, or what no JSON has, such as NaN; or is too large.
    """
    with file.open("rb") as opened:
        text = opened.read(FILE_BYTES_MAX + 1)
    if len(text) > FILE_BYTES_MAX:
        raise DocumentError(f"{file} has more than {FILE_BYTES_MAX >> 10} KiB")
    try:
        document = _in_one_line(json.loads(text))
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{file} is no JSON that can be sent: {error}") from error
    if not isinstance(document, dict):
        raise DocumentError(f"{file} holds no JSON object")
    return document


def _in_one_line(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_one_line(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_in_one_line(element) for element in value]
    return escaped(" ".join(value.split())) if isinstance(value, str) else value
