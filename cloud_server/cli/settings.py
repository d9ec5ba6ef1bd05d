"""`dctwire settings`: what devices do, set from afar, as far as their own configuration lets them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud_server.cli.known_names import require_known, warn_of_unknown
from cloud_server.cli.options import (
    DEFAULT_SERVER,
    AsJson,
    Family,
    Keys,
    PassphraseFile,
    Server,
    connected,
    passphrase_of,
)
from cloud_server.cli.output import say, show_json, show_table, tell
from cloud_server.cli.signing_settings import Wanted, set_settings

HINTS = {
    "conflict": "See what holds with: dctwire settings list FAMILY. If others publish at the same time, repeat the "
    "command",
    "invalid-bundle": "Correct what the error names; see: dctwire settings set --help",
    "too-few-signatures": "Have others add theirs: dctwire trust sign FILE --keys THEIRS. Then repeat this command "
    "with --signed FILE",
    "no-keys": "Name the folder that dctwire trust init made for this server, with --keys",
    "other-keys": "Name the keys that dctwire trust init made together with this server's --data, or the other server",
    "not-found": "Publish a bundle of the family first: dctwire publish FOLDER --keys KEYS",
}
UNITS = {
    "frames_per_second": "pictures a second",
    "batch_frames": "frames a request",
    "linger_seconds": "s to wait for a batch",
    "budget_hour_bytes": "bytes an hour",
    "budget_day_bytes": "bytes a day",
    "budget_month_bytes": "bytes a month",
    "picture_share": "of the pictures",
    "detail_share": "of the frames with a detail",
    "detail_hour_bytes": "bytes of details an hour",
    "detail_quality": "quality of details",
    "active_hours": "active",
    "region": "region (left, top, width, height)",
}
"""What follows the value of a setting, for people."""
Tag = Annotated[
    str | None, typer.Option("--tag", help="For devices that have this tag, instead of the family.", metavar="TAG")
]
Rate = Annotated[float | None, typer.Option(help="Pictures a second.", metavar="NUMBER")]
Batch = Annotated[int | None, typer.Option(help="Frames in one request, at most.", metavar="NUMBER")]
Linger = Annotated[float | None, typer.Option(help="How long a batch waits for frames.", metavar="SECONDS")]
BudgetHour = Annotated[int | None, typer.Option(help="Bytes at the socket, an hour.", metavar="BYTES")]
BudgetDay = Annotated[int | None, typer.Option(help="The same, a day.", metavar="BYTES")]
BudgetMonth = Annotated[int | None, typer.Option(help="The same, a month.", metavar="BYTES")]
Share = Annotated[float | None, typer.Option(help="Which share of the pictures is sent.", metavar="0..1")]
Details = Annotated[float | None, typer.Option(help="Which share of the frames takes a detail along.", metavar="0..1")]
DetailsHour = Annotated[int | None, typer.Option(help="Bytes of details an hour.", metavar="BYTES")]
DetailsQuality = Annotated[int | None, typer.Option(help="The JPEG quality of details.", metavar="1..100")]
Active = Annotated[
    str | None, typer.Option(help="When pictures are taken, such as 06:00-20:00; as the sensor's --active.")
]
Region = Annotated[
    str | None, typer.Option(help="What is shown, as shares of the picture.", metavar="LEFT,TOP,WIDTH,HEIGHT")
]
Signed = Annotated[
    Path | None,
    typer.Option("--signed", help="The list as several have signed it, with dctwire trust sign.", metavar="FILE"),
]

settings = typer.Typer(
    help="Set from afar what devices do: signed, and bounded by what each device's own configuration allows.\n\n"
    "Settings of a tag stand before those of the family; of several tags of a device, those that were set last.\n\n"
    "Example: dctwire settings set digits --rate 0.2 --budget-day 500000 --keys keys",
    no_args_is_help=True,
)


@settings.command("set")
def set_(
    family: Family,
    keys: Keys,
    tag: Tag = None,
    rate: Rate = None,
    batch: Batch = None,
    linger: Linger = None,
    budget_hour: BudgetHour = None,
    budget_day: BudgetDay = None,
    budget_month: BudgetMonth = None,
    share: Share = None,
    details: Details = None,
    details_hour: DetailsHour = None,
    details_quality: DetailsQuality = None,
    active: Active = None,
    region: Region = None,
    passphrase_file: PassphraseFile = None,
    signed: Signed = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Set what FAMILY's devices do, in the place of what was set for them before: what is left out is as they have it.

    Each learns of it with the next answer that it gets, and takes it without a restart. Where its own configuration
    allows less, that holds; `dctwire devices show` tells which settings a device has in effect, or why it has not.

    Example: dctwire settings set digits --tag site=north --rate 0.2 --budget-day 500000 --keys keys
    """
    said = {
        "frames_per_second": rate,
        "batch_frames": batch,
        "linger_seconds": linger,
        "budget_hour_bytes": budget_hour,
        "budget_day_bytes": budget_day,
        "budget_month_bytes": budget_month,
        "picture_share": share,
        "detail_share": details,
        "detail_hour_bytes": details_hour,
        "detail_quality": details_quality,
        "active_hours": active,
        "region": None if region is None else region_of(region),
    }
    wanted = Wanted(family, tag, {name: value for name, value in said.items() if value is not None})
    with connected(server, as_json=as_json, hints=HINTS) as client:
        made = set_settings(
            client,
            wanted,
            keys,
            datetime.now(UTC),
            passphrase=passphrase_of(passphrase_file),
            signed=signed.read_bytes() if signed else None,
        )
        document = {"family": family, "tag": tag, "counter": made.counter, "said": made.said}
        tell(
            document, f"Settings {made.counter} hold for {_whom(family, tag)}: {described(made.said)}.", as_json=as_json
        )


@settings.command("list")
def list_settings(
    family: Annotated[str | None, typer.Argument(help="Of this family alone.", metavar="[FAMILY]")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List the settings that hold. Devices take only what is listed in their family's signed targets.

    Example: dctwire settings list digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        if family is not None:
            require_known(client, family)
        document = client.get("/v1/settings", {} if family is None else {"family": family})
        if as_json:
            show_json({"settings": document["settings"]})
            return
        _show_rows([row | {"what": described(row["said"])} for row in document["settings"]])


@settings.command()
def show(family: Family, tag: Tag = None, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show the settings that hold for FAMILY, or for its devices that have a tag, a line each.

    Example: dctwire settings show digits --tag site=north
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        require_known(client, family)
        rows = client.get("/v1/settings", {"family": family})["settings"]
        found = next((row for row in rows if row["tag"] == tag), None)
        if as_json:
            show_json(found)
        elif found is None:
            say(f"Nothing is set from afar for {_whom(family, tag)}.")
        else:
            lines = (f"  {described({name: value})}" for name, value in found["said"].items())
            say("\n".join([f"Settings {found['counter']} of {_whom(family, tag)}", *lines]))


@settings.command()
def remove(family: Family, tag: Tag = None, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Have the settings of FAMILY, or of a tag, hold no longer: devices do as they are configured again.

    It needs no key. Example: dctwire settings remove digits --tag site=north
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        done = client.delete(f"/v1/settings/{family}", None if tag is None else {"tag": tag})
        if done["counter"] is None:
            warn_of_unknown(client, family)
        said = "no longer hold" if done["counter"] is not None else "did not hold"
        tell(done, f"Settings from afar {said} for {_whom(family, tag)}.", as_json=as_json)


def region_of(text: str) -> tuple[float, float, float, float]:
    """Four shares of a picture, separated by commas."""
    try:
        left, top, width, height = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no region. Four shares of the picture: LEFT,TOP,WIDTH,HEIGHT, such as 0.25,0,0.5,1",
            param_hint="--region",
        ) from None
    return left, top, width, height


def described(said: dict[str, Any]) -> str:
    """What is set, in one line."""
    return ", ".join(f"{_value(value)} {UNITS.get(name, name)}" for name, value in said.items())


def _show_rows(rows: list[dict[str, Any]]) -> None:
    columns = {"family": "family", "tag": "tag", "counter": "number", "set_at": "set", "what": "what is set"}
    if not all(row["is_listed"] for row in rows):
        columns["is_listed"] = "listed"
    show_table("Settings", rows, columns, "Nothing is set from afar: devices do as they are configured.")


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(f"{share:g}" for share in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _whom(family: str, tag: str | None) -> str:
    return family if tag is None else f"devices of {family} with tag {tag}"
