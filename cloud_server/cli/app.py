"""`dctwire`: the operator's commands."""

from collections import Counter
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cloud_server.cli.audit import audit
from cloud_server.cli.bundle import bundle
from cloud_server.cli.console import console
from cloud_server.cli.devices import devices
from cloud_server.cli.events import events
from cloud_server.cli.fallback import fallback, released, show_fallbacks, tell_failures
from cloud_server.cli.floor import warn_of_fallen
from cloud_server.cli.known_names import every_bundle, require_known, warn_of_unknown
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.operators import operators, tokens
from cloud_server.cli.options import (
    DEFAULT_SERVER,
    TIME_FORMS,
    AsJson,
    Family,
    Keys,
    OperatorLine,
    PassphraseFile,
    RaiseFloor,
    Server,
    connected,
    moment_of,
    passphrase_of,
    reaching,
    seconds,
)
from cloud_server.cli.output import say, show_json, show_table, tell, warn
from cloud_server.cli.publishing import ModelFolder, Outcome, publish_folder
from cloud_server.cli.report_table import show_report
from cloud_server.cli.rollout import rollout
from cloud_server.cli.runs import runs
from cloud_server.cli.samples import samples
from cloud_server.cli.settings import settings
from cloud_server.cli.trust import trust
from cloud_server.registry.floor import Falling
from shared.bundle import Bundle, Fallback
from shared.errors import PeerError, RefusedError

_SAID = {
    Outcome.PUBLISHED: "is published.",
    Outcome.UNCHANGED: "was published already; nothing has changed.",
    Outcome.RENEWED: "was published already; the list of signed targets, of which half the life was over, is renewed.",
}

_NO_DEVICES: dict[str, Any] = {
    "devices": 0,
    "by_tables": {},
    "pinned": 0,
    "quarantined": 0,
    "revoked": 0,
    "suspected_clones": 0,
    "held_below_floor": 0,
    "on_trial": 0,
    "silent_on_trial": 0,
    "oldest_trial_since": None,
}

_MARKED = [name for name in _NO_DEVICES if name not in ("devices", "by_tables")]
_WHERE_ANY = {
    "failed": "failed classifiers",
    "assigned_is_below_floor": "below the floor",
    "held_below_floor": "held below the floor",
    "pinned": "pinned",
    "quarantined": "quarantined",
    "revoked": "revoked",
    "suspected_clones": "clones?",
    "on_trial": "on trial",
    "silent_on_trial": "silent on trial",
    "oldest_trial_at": "on trial since",
}
"""Columns that are shown only where a family has any."""

_HELD_HINT = (
    "Give devices that the error names a bundle that stays, or let them go: dctwire devices pin, unpin, quarantine "
    "--counter, release. Where new devices may go without tables: --raise-floor"
)
PUBLISH_HINTS = {
    "below-floor": "Add --assign where the error names what the family is assigned: the new one takes its place. "
    + _HELD_HINT,
    "conflict": "If its number is taken, export it under a higher one, with dctwire-trainer export --counter N; "
    "see: dctwire bundles. If others publish at the same time, repeat the command",
    "too-few-signatures": "Have others add theirs: dctwire trust sign FILE --keys THEIRS. Then repeat this command "
    "with --signed FILE",
    "no-keys": "Name the folder that dctwire trust init made for this server, with --keys",
    "other-keys": "Name the keys that dctwire trust init made together with this server's --data, or the other server",
}

ASSIGN_HINTS = PUBLISH_HINTS | {
    "below-floor": f"{_HELD_HINT}. Where the bundle itself is below the floor, assign another; see: dctwire bundles"
}
"""The same, where --assign was typed already."""

app = typer.Typer(
    cls=OperatorLine,
    callback=reaching,
    help="Operate a dctwire server: publish table versions, assign them, enrol devices.\n\n"
    "A first session: dctwire trust init, dctwire-server run, dctwire publish, dctwire assign, dctwire claim.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(trust, name="trust")
app.add_typer(samples, name="samples")
app.add_typer(rollout, name="rollout")
app.add_typer(runs, name="runs")
app.add_typer(fallback, name="fallback")
app.add_typer(devices, name="devices")
app.add_typer(settings, name="settings")
app.add_typer(operators, name="operators")
app.add_typer(tokens, name="tokens")
app.add_typer(console, name="console")
app.add_typer(audit, name="audit")
app.add_typer(events, name="events")
app.add_typer(bundle, name="bundle")


@app.command()
def claim(family: Family, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Print a claim code with which one device may join FAMILY, once, within a day; dctwire-sensor enrol takes it.

    Example: dctwire claim digits
    """
    with connected(server, as_json=as_json) as client:
        made = client.post("/v1/claims", {"family": family})
        warn_of_unknown(client, family)
        tell(made, made["claim_code"], as_json=as_json)


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="The folder that dctwire-trainer export made.", metavar="FOLDER")],
    keys: Keys,
    assign_it: Annotated[bool, typer.Option("--assign", help="Also assign the bundle to its family.")] = False,
    release_it: Annotated[bool, typer.Option("--release", help="Also release the fallback to its family.")] = False,
    may_jump: Annotated[
        bool,
        typer.Option("--allow-jump", help="Let the counter be over a million above the highest; it can never fall."),
    ] = False,
    raises_floor: RaiseFloor = False,
    passphrase_file: PassphraseFile = None,
    signed: Annotated[
        Path | None,
        typer.Option("--signed", help="The list as several have signed it, with dctwire trust sign.", metavar="FILE"),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Check, sign, upload and publish what was exported.

    It changes no answer by that. Devices may fetch a bundle from then on;
    they run it once it is assigned, or a rollout leads them to it.
    A fallback answers frames of unknown tables once it is released.

    A bundle with a `min_counter` above what is assigned is refused,
    for new devices would get no tables any more: with --assign it takes
    that one's place; pinned and quarantined devices need others first,
    or --raise-floor.

    Safe to repeat: after a failure, run the same command again. What is published already is left as it is.

    Example: dctwire publish bundles/v2 --keys keys --assign
    """
    with connected(server, as_json=as_json, hints=ASSIGN_HINTS if assign_it else PUBLISH_HINTS) as client:
        console = Console(stderr=True, quiet=as_json)
        with console.status("checking") as status:
            checked = ModelFolder.read(folder)
            published = checked.published
            _require_fits(folder, published, assign_it=assign_it, release_it=release_it)
            outcome = publish_folder(
                client,
                checked,
                keys,
                datetime.now(UTC),
                status.update,
                may_jump=may_jump,
                falling=_falling(raises_floor=raises_floor, is_assigned=assign_it),
                passphrase=passphrase_of(passphrase_file, before_asking=status.stop),
                signed=signed.read_bytes() if signed else None,
            )
            document: dict[str, Any] = {"family": published.family, "name": published.name}
            document["target"] = published.target_path
            if isinstance(published, Bundle):
                document["counter"] = published.counter
                if assign_it:
                    document["assignment"] = _assign(client, published.family, published.counter)
            elif release_it:
                document["released"] = released(client, published.family, published.name)
            document["below_floor"] = client.get(f"/v1/tuf/{published.family}/floor")
        _tell_published(published, outcome, document, as_json=as_json)


@app.command()
def assign(
    family: Family,
    counter: Annotated[int, typer.Argument(help="The bundle's number in its family; see: dctwire bundles", min=1)],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Make FAMILY's devices run bundle COUNTER; each learns of it with its next upload.

    It is done for the whole family at once, and ends an active rollout; `dctwire rollout start` goes stage by stage.

    Example: dctwire assign digits 2
    """
    with connected(server, as_json=as_json) as client:
        assignment = _assign(client, family, counter)
        tell(assignment, f"{family} is to run {family}/{counter} (assignment {assignment['seq']}).", as_json=as_json)
        warn_of_fallen(family, assignment["below_floor"])


@app.command()
def bundles(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List what is published: bundles, fallbacks, and where their classifiers are.

    `bytes` and `accuracy` are what the trainer measured: the entropy-coded bytes of the median frame, and the share of
    right answers. A classifier is loaded, cold (loaded when a frame needs it) or failed; `computes` is what the loaded
    one uses. Only what is listed, in its family's signed targets, can be assigned; publishing it again lists it anew.
    What is below its family's floor cannot, and where it is assigned still, new devices get no tables from it.
    """
    with connected(server, as_json=as_json) as client:
        document = {"bundles": list(every_bundle(client))} | client.get("/v1/fallbacks")
        if as_json:
            show_json(document)
            return
        columns = {
            "name": "bundle",
            "tables_id": "tables",
            "registered_at": "published",
            "bytes": "bytes",
            "accuracy": "accuracy",
            "state": "classifier",
            "precision": "computes",
            "is_listed": "listed",
            "is_assigned": "assigned",
        }
        if any(row["is_below_floor"] for row in document["bundles"]):
            columns["is_below_floor"] = "below the floor"
        empty = "Nothing is published yet. Next: dctwire publish FOLDER --keys KEYS"
        show_table("Bundles", [_expecting(row) for row in document["bundles"]], columns, empty)
        if document["fallbacks"]:
            show_fallbacks(document["fallbacks"], "")
        tell_failures(document["bundles"])


@app.command()
def status(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show each family: what it is assigned, and how many of its devices send those tables already.

    A replica that lacks an online key is named, and where that is to be put. `failed classifiers` are those that could
    not be loaded or are left alone; dctwire bundles says why.
    """
    with connected(server, as_json=as_json) as client:
        listed, fallbacks = list(every_bundle(client)), client.get("/v1/fallbacks")["fallbacks"]
        rows = family_rows(listed, fallbacks, client.get("/v1/fleet")["families"])
        replicas = client.get("/v1/replicas")["replicas"]
        if as_json:
            show_json({"families": rows, "replicas": replicas})
            return
        columns = {
            "family": "family",
            "bundles": "bundles",
            "assigned": "assigned",
            "devices": "devices",
            "up_to_date": "sending it",
        }
        shown = [row | {"oldest_trial_at": row["oldest_trial_since"]} for row in rows]
        columns |= {name: heading for name, heading in _WHERE_ANY.items() if any(row[name] for row in shown)}
        show_table("Families", shown, columns, "Nothing here yet. Next: dctwire publish FOLDER --keys KEYS")
        for line in missing_keys(replicas):
            say(line)


@app.command()
def report(
    family: Family,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME", parser=moment_of, help=f"{TIME_FORMS} The report begins with its full hour. Default: all."
        ),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show what each version of FAMILY's tables cost on the wire and how often the answers were right.

    `bytes` is what a device sends for a frame, on average; `scan`, `tables inside`, `markers` and `http` are its parts.
    `saving` is against ordinary JPEG that devices of the same family posted: the line `interchange`. `accuracy` is of
    the frames whose true label is known, with its 95 % interval; a label counts in the hour of its frame. `devices`
    have sent these tables last.

    Example: dctwire report digits --since 2026-11-01
    """
    with connected(server, as_json=as_json) as client:
        require_known(client, family)
        asked = {"family": family} if since is None else {"family": family, "since": seconds(since)}
        document = client.get("/v1/report", asked)
        if as_json:
            show_json(document)
        else:
            show_report(document)


def family_rows(
    listed: list[dict[str, Any]], fallbacks: list[dict[str, Any]], counted: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One row for each family, worked out from the bundles, by family, the fallbacks and the counts of devices."""
    failed = Counter(row["family"] for row in [*listed, *fallbacks] if row["state"] == "failed")
    rows, bundles_of = [], {family: list(own) for family, own in groupby(listed, itemgetter("family"))}
    counts_of = {row["family"]: row for row in counted}
    for family in sorted({*bundles_of, *counts_of}):
        own, counts = bundles_of.get(family, []), counts_of.get(family, _NO_DEVICES)
        running = next((row for row in own if row["is_assigned"]), None)
        assigned = None if running is None else f"v{running['counter']}"
        row = {"family": family, "bundles": len(own), "assigned": assigned, "devices": counts["devices"]}
        row["failed"] = failed[family]
        row["assigned_is_below_floor"] = running is not None and running["is_below_floor"]
        row["up_to_date"] = counts["by_tables"].get(assigned, 0)
        rows.append(row | {name: counts[name] for name in _MARKED})
    return rows


def missing_keys(replicas: list[dict[str, Any]]) -> list[str]:
    """A line for each replica that lacks online keys."""
    return [
        f"Replica {row['replica']} signs nothing: it lacks {', '.join(row['missing_keys'])}. Copy what is missing "
        "(KEY.pem) into its folder of online keys; no restart is needed."
        for row in replicas
        if row["missing_keys"]
    ]


def _expecting(row: dict[str, Any]) -> dict[str, Any]:
    """A bundle's row, with what the trainer measured as people read it."""
    expected = row["expected"]
    return row | {"bytes": f"{expected['bytes_p50']:g}", "accuracy": f"{expected['accuracy']:.1%}"}


def _tell_published(published: Bundle | Fallback, outcome: Outcome, document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(document)
    else:
        say(f"{published.name} {_SAID[outcome]}")
        if "assignment" in document:
            say(f"{published.family} is to run it (assignment {document['assignment']['seq']}).")
        elif "released" in document:
            say(f"It answers {published.family}'s frames of unknown tables.")
        elif isinstance(published, Bundle):
            which = f"{published.family} {published.counter}"
            say(f"Next: dctwire assign {which} (everybody at once), or dctwire rollout start {which} (stage by stage)")
        else:
            say(f"Next: dctwire fallback release {published.family} {published.name.rpartition('/')[2]}")
    warn_of_fallen(published.family, document["below_floor"])


def _require_fits(folder: Path, published: Bundle | Fallback, *, assign_it: bool, release_it: bool) -> None:
    """Whether what shall follow can follow the publication of what a folder holds."""
    if assign_it and isinstance(published, Fallback):
        raise PeerError(f"{folder} is a fallback: it is released and not assigned; say --release, not --assign")
    if release_it and isinstance(published, Bundle):
        raise PeerError(f"{folder} is a bundle: it is assigned and not released; say --assign, not --release")


def _falling(*, raises_floor: bool, is_assigned: bool) -> Falling:
    if raises_floor:
        return Falling.EVERYTHING
    return Falling.FAMILY if is_assigned else Falling.NOTHING


def _assign(client: OperatorClient, family: str, counter: int) -> Any:
    try:
        made = client.post("/v1/assignments", {"family": family, "counter": counter})
    except RefusedError:
        warn_of_unknown(client, family)
        raise
    if made["superseded"] is not None:
        warn(f"rollout {made['superseded']} of {family} ended for this: it is superseded")
    return made


def main() -> None:
    """Entry point."""
    app()
