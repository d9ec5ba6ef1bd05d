"""`dctwire`: the operator's commands."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cloud_server.cli.devices import devices
from cloud_server.cli.known_names import require_known, warn_of_unknown
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.options import DEFAULT_SERVER, TIME_FORMS, AsJson, Family, Server, connected, moment_of, seconds
from cloud_server.cli.output import explained_errors, show_json, show_table
from cloud_server.cli.publishing import ModelFolder, Outcome, initialise_trust, publish_folder
from cloud_server.cli.report_table import show_report
from cloud_server.cli.samples import samples
from shared.bundle import Bundle, Fallback
from shared.command_line import CommandLine, program_options
from shared.errors import PeerError, RefusedError
from shared.trust import TrustError

Keys = Annotated[Path, typer.Option("--keys", help="The folder that dctwire trust init made.", metavar="DIR")]

_SAID = {
    Outcome.PUBLISHED: "is published.",
    Outcome.UNCHANGED: "was published already; nothing has changed.",
    Outcome.RENEWED: "was published already; the list of signed targets, of which half the life was over, is renewed.",
}

PUBLISH_HINTS = {
    "conflict": "If its number is taken, export it under a higher one, with dctwire-trainer export --counter N; "
    "see: dctwire bundles. If others publish at the same time, repeat the command",
    "no-keys": "Name the folder that dctwire trust init made for this server, with --keys",
    "other-keys": "Name the keys that dctwire trust init made together with this server's --data, or the other server",
}

app = typer.Typer(
    cls=CommandLine,
    callback=program_options,
    help="Operate a dctwire server: publish table versions, assign them, enrol devices.\n\n"
    "A first session: dctwire trust init, dctwire-server run, dctwire publish, dctwire assign, dctwire claim.",
    no_args_is_help=True,
    add_completion=False,
)
trust = typer.Typer(help="Keys and signed metadata (TUF).", no_args_is_help=True)
app.add_typer(trust, name="trust")
app.add_typer(samples, name="samples")
app.add_typer(devices, name="devices")


@trust.command("init")
def trust_init(
    keys: Annotated[Path, typer.Option(help="A new folder for the offline keys (root, targets).")],
    data: Annotated[Path, typer.Option(help="The server's data folder, for the online keys and the first metadata.")],
    as_json: AsJson = False,
) -> None:
    """Make the keys that say which bundles are genuine. Once for each server, before it is started.

    KEYS/root.json is what devices are shipped with; KEYS/root.pem and KEYS/targets.pem sign, keep them safe.

    Example: dctwire trust init --keys keys --data server-data
    """
    hints = {"untrusted": "Go on with the keys that are there, or name other folders", "disk": "Name other folders"}
    with explained_errors(as_json=as_json, hints=hints):
        try:
            initialise_trust(keys, data, datetime.now(UTC))
        except FileExistsError as error:
            raise TrustError(f"{error.filename} exists already; keys are never overwritten") from error
        if as_json:
            show_json({"root": str(keys / "root.json"), "keys": str(keys), "data": str(data)})
        else:
            typer.echo(f"Made {keys}/ (keep it offline) and {data}/ (the server's). Ship {keys}/root.json to devices.")
            typer.echo(f"Next: dctwire-server run --data {data}")


@app.command()
def claim(family: Family, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Print a claim code with which one device may join FAMILY, once, within a day; dctwire-sensor enrol takes it.

    Example: dctwire claim digits
    """
    with connected(server, as_json=as_json) as client:
        made = client.post("/v1/claims", {"family": family})
        warn_of_unknown(client, family)
        show_json(made) if as_json else typer.echo(made["claim_code"])


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="The folder that dctwire-trainer export made.", metavar="FOLDER")],
    keys: Keys,
    assign_it: Annotated[bool, typer.Option("--assign", help="Also assign it to its family.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Check, sign, upload and publish what was exported.

    A bundle can be fetched by devices from then on; they run it once it is assigned. A fallback answers its family's
    frames of unknown tables at once.

    Safe to repeat: after a failure, run the same command again. What is published already is left as it is.

    Example: dctwire publish bundles/v2 --keys keys --assign
    """
    with connected(server, as_json=as_json, hints=PUBLISH_HINTS) as client:
        console = Console(stderr=True, quiet=as_json)
        with console.status("checking") as status:
            checked = ModelFolder.read(folder)
            published = checked.published
            if assign_it and isinstance(published, Fallback):
                raise PeerError(f"{folder} is a fallback: it serves at once and is not assigned; leave out --assign")
            outcome = publish_folder(client, checked, keys, datetime.now(UTC), status.update)
            document: dict[str, Any] = {"family": published.family, "name": published.name}
            document["target"] = published.target_path
            if isinstance(published, Bundle):
                document["counter"] = published.counter
                if assign_it:
                    document["assignment"] = _assign(client, published.family, published.counter)
        if as_json:
            show_json(document)
        else:
            typer.echo(f"{published.name} {_SAID[outcome]}")
            if assign_it:
                typer.echo(f"{published.family} runs it (assignment {document['assignment']['seq']}).")
            if isinstance(published, Bundle) and not assign_it:
                typer.echo(f"Next: dctwire assign {published.family} {published.counter}")


@app.command()
def assign(
    family: Family,
    counter: Annotated[int, typer.Argument(help="The bundle's number in its family; see: dctwire bundles", min=1)],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Make FAMILY's devices run bundle COUNTER; each learns of it with its next upload.

    Example: dctwire assign digits 2
    """
    with connected(server, as_json=as_json) as client:
        assignment = _assign(client, family, counter)
        if as_json:
            show_json(assignment)
        else:
            typer.echo(f"{family} runs {family}/{counter} (assignment {assignment['seq']}).")


@app.command()
def bundles(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List what is published: bundles, fallbacks, and where their classifiers are.

    `bytes` and `accuracy` are what the trainer measured: the entropy-coded bytes of the median frame, and the share of
    right answers. A classifier is loaded, cold (loaded when a frame needs it) or failed; `computes` is what the loaded
    one uses.
    """
    with connected(server, as_json=as_json) as client:
        document = client.get("/v1/bundles") | client.get("/v1/fallbacks")
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
            "is_assigned": "assigned",
        }
        empty = "Nothing is published yet. Next: dctwire publish FOLDER --keys KEYS"
        show_table("Bundles", [_expecting(row) for row in document["bundles"]], columns, empty)
        if document["fallbacks"]:
            columns = {"name": "fallback"} | {key: columns[key] for key in ("registered_at", "state", "precision")}
            show_table("Fallbacks", document["fallbacks"], columns, "")


@app.command()
def status(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show each family: what it is assigned, and how many of its devices send those tables already."""
    with connected(server, as_json=as_json) as client:
        listed, enrolled = client.get("/v1/bundles")["bundles"], client.get("/v1/devices")["devices"]
        rows = family_rows(listed, enrolled)
        if as_json:
            show_json({"families": rows})
            return
        columns = {
            "family": "family",
            "bundles": "bundles",
            "assigned": "assigned",
            "devices": "devices",
            "up_to_date": "sending it",
        }
        show_table("Families", rows, columns, "Nothing here yet. Next: dctwire publish FOLDER --keys KEYS")


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


def family_rows(listed: list[dict[str, Any]], enrolled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each family, worked out from the bundles and the devices."""
    rows = []
    for family in sorted({row["family"] for row in [*listed, *enrolled]}):
        own = [row for row in listed if row["family"] == family]
        members = [row for row in enrolled if row["family"] == family]
        assigned = next((f"v{row['counter']}" for row in own if row["is_assigned"]), None)
        up_to_date = sum(row["last_tables"] == assigned for row in members) if assigned else 0
        rows.append(
            {
                "family": family,
                "bundles": len(own),
                "assigned": assigned,
                "devices": len(members),
                "up_to_date": up_to_date,
            }
        )
    return rows


def _expecting(row: dict[str, Any]) -> dict[str, Any]:
    """A bundle's row, with what the trainer measured as people read it."""
    expected = row["expected"]
    return row | {"bytes": f"{expected['bytes_p50']:g}", "accuracy": f"{expected['accuracy']:.1%}"}


def _assign(client: OperatorClient, family: str, counter: int) -> Any:
    try:
        return client.post("/v1/assignments", {"family": family, "counter": counter})
    except RefusedError:
        warn_of_unknown(client, family)
        raise


def main() -> None:
    """Entry point."""
    app()
