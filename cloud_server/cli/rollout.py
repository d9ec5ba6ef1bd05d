"""`dctwire rollout`: lead a family to another bundle, stage by stage, and steer that."""

import json
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cloud_server.cli.known_names import every_reached_device
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Family, Server, connected
from cloud_server.cli.output import say, show_json, show_table, tell
from cloud_server.cli.rollout_view import described, one_line
from shared.errors import ChannelError, DctwireError

EXIT_PAUSED, EXIT_NOT_RELEASED = 3, 4
LOOK_SECONDS = 1.0
RESTART_SECONDS = 120.0
"""How long who watches waits for a server that does not answer: it may be started anew."""
_OVER = ("complete", "aborted", "rolled-back", "superseded")
HINTS = {
    "bad-request": "Correct what the error names; a rollout's name stands in: dctwire rollout list",
    "not-found": "See the rollouts with: dctwire rollout list; and what is published with: dctwire bundles",
    "conflict": "See how it stands with: dctwire rollout status ROLLOUT",
    "changed": "Look at it again with: dctwire rollout status ROLLOUT; then decide anew",
    "plan": "Begin with the standard one: dctwire rollout plan > plan.json",
}
START_HINTS = HINTS | {
    "bad-request": "Correct what the error names; docs/rollouts.md says what a plan holds, and dctwire rollout plan "
    "prints one",
    "conflict": "See the rollouts with: dctwire rollout list; and what each family runs with: dctwire status",
}
BACK_HINTS = HINTS | {
    "conflict": "Where it is complete, lead the family back to its old bundle: dctwire rollout start FAMILY COUNTER, "
    "or at once: dctwire assign FAMILY COUNTER"
}
EXITS = (
    "Exit status: 0 when the bundle is released to everybody, 3 when the rollout is paused, 4 when it is over without "
    "that, 1 when the server cannot be asked."
)
_DEVICE_COLUMNS = {
    "device_id": "device",
    "exposed_at": "exposed",
    "outcome": "outcome",
    "settled_at": "settled",
    "proofs": "frames",
}
RolloutName = Annotated[str, typer.Argument(help="The rollout's name; see: dctwire rollout list", metavar="ROLLOUT")]
Version = Annotated[
    int | None,
    typer.Option("--if-version", help="Only where the rollout is still at this version.", metavar="NUMBER", min=1),
]
Wait = Annotated[bool, typer.Option("--wait", help="Watch it until it is paused or over.")]

rollout = typer.Typer(
    help="Lead a family to another bundle stage by stage: watched, stopped where it harms, and taken back.\n\n"
    "Example: dctwire rollout start digits 2 --wait",
    no_args_is_help=True,
)


class PlanError(DctwireError):
    """A file holds no plan."""

    code: ClassVar[str] = "plan"


@rollout.command(epilog=EXITS)
def start(
    family: Family,
    counter: Annotated[int, typer.Argument(help="The bundle's number in its family; see: dctwire bundles", min=1)],
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", help="The stages, as JSON or TOML. Default: 1, 5, 25 and 100 percent, with gates.", metavar="FILE"
        ),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="Why, for those who look at it later.")] = None,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="End the family's active rollout, whose place this one takes.")
    ] = False,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Let nobody in yet: it waits for dctwire rollout resume, a week at most."),
    ] = False,
    wait: Wait = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Begin to lead FAMILY to bundle COUNTER: first a few devices, then more as long as the gates let it.

    A device stays where it is until its stage comes, and gets its old bundle back when the rollout is stopped.

    Example: dctwire rollout start digits 2 --note "smaller tables" --wait
    """
    with connected(server, as_json=as_json, hints=START_HINTS) as client:
        asked: dict[str, Any] = {"family": family, "counter": counter, "supersede": supersede, "note": note}
        if draft:
            asked["draft"] = True
        made = client.post("/v1/rollouts", asked if plan is None else asked | {"plan": plan_in(plan)})
        if not wait:
            next_step = f"Next: dctwire rollout {'resume' if draft else 'watch'} {made['id']}"
            leads = "is to lead" if draft else "leads"
            tell(made, f"Rollout {made['id']} {leads} {family} to v{counter}. {next_step}", as_json=as_json)
            return
        raise typer.Exit(watched(client, made["id"], as_json=as_json))


@rollout.command("list")
def list_rollouts(
    family: Annotated[str | None, typer.Option("--family", help="Of this family.", metavar="FAMILY")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, the newest first.", min=1, max=100)] = 20,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List rollouts, the newest first: those that are active, and what came of those before.

    Example: dctwire rollout list --family digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        query = {"limit": limit} | ({} if family is None else {"family": family})
        document = client.get("/v1/rollouts", query)
        if as_json:
            show_json({"rollouts": document["rollouts"]})
            return
        columns = {
            "id": "rollout",
            "family": "family",
            "led": "bundle",
            "stands": "state",
            "created_at": "started",
            "created_by": "by",
            "note": "note",
        }
        empty = "No rollout yet. Next: dctwire rollout start FAMILY COUNTER"
        show_table("Rollouts", [row | one_line(row) for row in document["rollouts"]], columns, empty)


@rollout.command()
def status(rollout_name: RolloutName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show ROLLOUT: where it stands, its devices by outcome, and what each gate said with its numbers.

    Example: dctwire rollout status k3vq7x2a
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        document = client.get(f"/v1/rollouts/{rollout_name}")
        tell(document, described(document, time.time()), as_json=as_json)


@rollout.command()
def devices(
    rollout_name: RolloutName,
    outcome: Annotated[
        str | None,
        typer.Option("--outcome", help="With this one: confirmed, pending, rolled-back, rejected or timed-out."),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List the devices that ROLLOUT has reached, in that order: since when, and what became of it on each.

    A device is confirmed once enough of its own frames were answered by the new classifier.

    Example: dctwire rollout devices k3vq7x2a --outcome timed-out
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        asked = {} if outcome is None else {"outcome": outcome}
        found = sorted(every_reached_device(client, rollout_name, asked), key=lambda row: row["exposed_at"])
        if as_json:
            show_json({"devices": found})
            return
        columns = _DEVICE_COLUMNS | ({"name": "name"} if any(row["name"] for row in found) else {})
        show_table(
            f"Devices of rollout {rollout_name}",
            found,
            columns,
            "No device is like that yet." if asked else "No device was reached yet.",
        )


@rollout.command(epilog=EXITS)
def watch(rollout_name: RolloutName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Watch ROLLOUT until it is paused or over: a live view in a terminal, a line at each change elsewhere.

    Example: dctwire rollout watch k3vq7x2a && echo released
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        raise typer.Exit(watched(client, rollout_name, as_json=as_json))


@rollout.command()
def pause(
    rollout_name: RolloutName, version: Version = None, server: Server = DEFAULT_SERVER, as_json: AsJson = False
) -> None:
    """Let no more devices in. Those that are keep the new bundle; after a week it is rolled back.

    Example: dctwire rollout pause k3vq7x2a
    """
    _steer(rollout_name, "pause", {}, version, server, as_json=as_json)


@rollout.command()
def resume(
    rollout_name: RolloutName,
    stage: Annotated[
        int | None,
        typer.Option("--stage", help="Go back to this one, from 1: devices beyond it get the old bundle.", min=1),
    ] = None,
    version: Version = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Go on with a paused rollout: its stage begins anew, with all its looks.

    Example: dctwire rollout resume k3vq7x2a
    """
    _steer(rollout_name, "resume", {} if stage is None else {"stage": stage - 1}, version, server, as_json=as_json)


@rollout.command()
def promote(
    rollout_name: RolloutName,
    to_the_end: Annotated[bool, typer.Option("--to-the-end", help="Release it to everybody now.")] = False,
    version: Version = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Go on to the next stage, whatever the gates say.

    Example: dctwire rollout promote k3vq7x2a
    """
    _steer(rollout_name, "promote", {"to_the_end": to_the_end}, version, server, as_json=as_json)


@rollout.command()
def abort(
    rollout_name: RolloutName, version: Version = None, server: Server = DEFAULT_SERVER, as_json: AsJson = False
) -> None:
    """End it now. Every device that had the new bundle gets its old one back; nobody waits until it has it.

    Example: dctwire rollout abort k3vq7x2a
    """
    _steer(rollout_name, "abort", {}, version, server, as_json=as_json, hints=BACK_HINTS)


@rollout.command(epilog=EXITS)
def rollback(
    rollout_name: RolloutName,
    wait: Wait = False,
    version: Version = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Give every device that had the new bundle its old one back; it is over once those that are online have it.

    With --wait it ends with 0 then, for that was asked.

    Example: dctwire rollout rollback k3vq7x2a --wait
    """
    _steer(rollout_name, "rollback", {}, version, server, as_json=as_json, wait=wait, hints=BACK_HINTS)


@rollout.command("plan")
def print_plan() -> None:
    """Print the standard plan, to write one of your own from. A plan is JSON or TOML; docs/rollouts.md explains it.

    Example: dctwire rollout plan > plan.json
    """
    from cloud_server.rollout.plan import standard  # noqa: PLC0415 - it takes numpy, which no other command needs

    typer.echo(standard().model_dump_json(indent=2, exclude_none=True))


def plan_in(file: Path) -> Any:
    """The plan that a file holds, as JSON has it; the server checks it.

    Raises:
        PlanError: it is neither JSON nor TOML, or holds something that no plan has, such as a date or NaN.
    """
    kind, read = ("JSON", json.loads) if file.suffix == ".json" else ("TOML", tomllib.loads)
    try:
        plan = read(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{file} is no {kind}: {error}") from error
    if (fault := _fault(plan)) is not None:
        raise PlanError(f"{file} holds no plan: {fault}")
    return plan


def _fault(plan: Any) -> str | None:
    """Why this cannot be sent as a plan; None where it can."""
    try:
        json.dumps(plan, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        return str(error)
    return None if isinstance(plan, dict) else "a plan is an object with stages"


def watched(client: OperatorClient, name: str, *, wanted: str = "complete", as_json: bool) -> int:
    """Show a rollout until it is paused or over; returns the exit status, 0 where it ended in the `wanted` state."""
    path, console = f"/v1/rollouts/{name}", Console()
    document = client.get(path)
    if as_json or not console.is_terminal:
        document = _followed(client, path, document, is_quiet=as_json)
    else:
        with Live(_text(document), console=console, refresh_per_second=4) as live:
            while not _is_at_rest(document):
                time.sleep(LOOK_SECONDS)
                document = _looked(client, path)
                live.update(_text(document))
    if as_json:
        show_json(document)
    return _exit_status(document, wanted)


def _followed(client: OperatorClient, path: str, document: Any, *, is_quiet: bool) -> Any:
    """Ask again and again, and say each change in a line."""
    said = ""
    while True:
        stands = one_line(document)["stands"]
        if stands != said and not is_quiet:
            say(f"{document['id']} {document['family']} {one_line(document)['led']}: {stands}")
        said = stands
        if _is_at_rest(document):
            return document
        time.sleep(LOOK_SECONDS)
        document = _looked(client, path)


def _looked(client: OperatorClient, path: str) -> Any:
    """The rollout as it is now, though the server may be away for a while."""
    give_up = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            return client.get(path)
        except ChannelError:
            if time.monotonic() > give_up:
                raise
            time.sleep(LOOK_SECONDS)


def _steer(
    name: str,
    what: str,
    body: dict[str, Any],
    version: int | None,
    server: str,
    *,
    as_json: bool,
    wait: bool = False,
    hints: Mapping[str, str] = HINTS,
) -> None:
    with connected(server, as_json=as_json, hints=hints) as client:
        headers = {} if version is None else {"if-match": f'"{version}"'}
        row = client.post(f"/v1/rollouts/{name}/{what}", body, headers)
        if wait:
            wanted = "rolled-back" if what == "rollback" else "complete"
            raise typer.Exit(watched(client, name, wanted=wanted, as_json=as_json))
        tell(row, f"Rollout {name} of {row['family']}: {one_line(row)['stands']}.", as_json=as_json)


def _is_at_rest(document: Any) -> bool:
    return document["state"] == "paused" or document["state"] in _OVER


def _exit_status(document: Any, wanted: str) -> int:
    if document["state"] == wanted:
        return 0
    return EXIT_PAUSED if document["state"] == "paused" else EXIT_NOT_RELEASED


def _text(document: Any) -> Text:
    return Text(described(document, time.time()))
