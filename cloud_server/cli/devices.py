"""`dctwire devices`: see the devices, say which of them are let in, and hold single ones at a bundle."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import typer

from cloud_server.cli.device_tables import is_below_floor, show_device, show_devices
from cloud_server.cli.known_names import device_looked_up, every_device
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.options import (
    DEFAULT_SERVER,
    TABLES_FORMS,
    TIME_FORMS,
    AsJson,
    Server,
    connected,
    moment_of,
    seconds,
    tables_of,
)
from cloud_server.cli.output import show_json, tell
from shared.errors import DctwireError

HINTS = {
    "not-found": "See the devices with: dctwire devices",
    "bad-request": "A device's name has small letters and digits. See the devices with: dctwire devices",
}
BUNDLE_HINTS = HINTS | {
    "not-found": "See the devices with: dctwire devices, and what is published with: dctwire bundles"
}
DeviceName = Annotated[
    str, typer.Argument(help="The device's name, as lists and frames' ids have it.", metavar="DEVICE")
]

devices = typer.Typer(help="List the devices; name, tag, revoke, pin and quarantine them.")


@devices.callback(invoke_without_command=True)
def list_devices(
    context: typer.Context,
    family: Annotated[str | None, typer.Option(help="Of this family.")] = None,
    tag: Annotated[
        str | None, typer.Option(help="That have this tag, or a tag with this key: site=north, site.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Whose name begins like this.")] = None,
    tables: Annotated[
        str | None, typer.Option(metavar="TABLES", parser=tables_of, help=f"That last sent these. {TABLES_FORMS}")
    ] = None,
    seen_after: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=moment_of, help=f"That were here since. {TIME_FORMS}")
    ] = None,
    seen_before: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=moment_of, help="That were not here since.")
    ] = None,
    revoked: Annotated[bool | None, typer.Option("--revoked/--not-revoked", help="That are revoked.")] = None,
    pinned: Annotated[bool | None, typer.Option("--pinned/--not-pinned", help="That are pinned.")] = None,
    quarantined: Annotated[
        bool | None, typer.Option("--quarantined/--not-quarantined", help="That are in quarantine.")
    ] = None,
    clones: Annotated[bool | None, typer.Option("--clones/--not-clones", help="That seem to be two.")] = None,
    on_trial: Annotated[
        bool | None, typer.Option("--on-trial/--not-on-trial", help="That have new tables that must prove themselves.")
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="Whose last update ended so: rolled-back, rejected.")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List the devices, when each was last here, and the tables it last sent. Options narrow the list.

    Example: dctwire devices --tag site=north --seen-before 2026-11-01
    """
    if context.invoked_subcommand is not None:
        return
    asked = {
        "family": family,
        "tag": tag,
        "name": name,
        "tables": tables,
        "seen_after": seconds(seen_after),
        "seen_before": seconds(seen_before),
        "revoked": revoked,
        "pinned": pinned,
        "quarantined": quarantined,
        "suspected_clone": clones,
        "on_trial": on_trial,
        "outcome": outcome,
    }
    with connected(server, as_json=as_json) as client:
        rows = list(every_device(client, {key: value for key, value in asked.items() if value is not None}))
        if as_json:
            show_json({"devices": rows})
        else:
            show_devices(rows)


@devices.command()
def show(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Show all that is known of DEVICE: also its last heartbeat, and what it told of its newest assignments.

    Example: dctwire devices show 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        document = client.get(_of(device))
        if as_json:
            show_json(document)
        else:
            show_device(document)


@devices.command()
def diagnose(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Ask DEVICE for a picture, and for an archive of its state, its last log lines and its settings, without secrets.

    The picture is one that it takes at once, whatever its rate, and sends before all others; not in its quiet hours.
    The archive it sends once, when it next asks for its assignment: with its next upload, or within minutes. A device
    that does not come for a week is asked no longer.

    Example: dctwire devices diagnose 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        asked = client.post(_of(device, "diagnostics"), {})
        tell(asked, f"{device} is asked. Next: dctwire devices diagnostics {device} --out FILE", as_json=as_json)


@devices.command()
def diagnostics(
    device: DeviceName,
    out: Annotated[Path, typer.Option("--out", help="Where to write the archive (tar.gz).", metavar="FILE")],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Write the archive that DEVICE sent last into a file. The server keeps it for a week.

    Example: dctwire devices diagnostics 2cvxpk4z --out camera.tar.gz
    """
    with _asking(device, server, as_json=as_json) as client:
        archive = client.get_bytes(_of(device, "diagnostics"))
        if not archive:
            raise NotSentYetError(f"{device} has not sent its diagnostics yet; it does when it is next heard of")
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(archive)
        tell({"file": str(out), "bytes": len(archive)}, f"{out} has {len(archive)} bytes.", as_json=as_json)


@devices.command()
def rename(
    device: DeviceName,
    name: Annotated[str, typer.Argument(help='What people call it; "" takes the name away.')],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Give DEVICE a name for people. Names need not differ; commands go on taking the device's own.

    Example: dctwire devices rename 2cvxpk4z "north gate"
    """
    with _asking(device, server, as_json=as_json) as client:
        row = client.put(_of(device, "name"), {"name": name or None})
        tell(row, f"{device} is called {row['name']}." if row["name"] else f"{device} has no name.", as_json=as_json)


@devices.command()
def tag(
    device: DeviceName,
    tags: Annotated[
        list[str], typer.Argument(help="Words, or KEY=VALUE, which replaces the tag with the same key.", metavar="TAG")
    ],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Add tags to DEVICE, at most 16 of 64 characters, to find it by.

    Example: dctwire devices tag 2cvxpk4z site=north roof
    """
    _change_tags(device, {"add": tags}, server, as_json=as_json)


@devices.command()
def untag(
    device: DeviceName,
    tags: Annotated[list[str], typer.Argument(help="Whole tags, or keys of tags.", metavar="TAG")],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Take tags from DEVICE.

    Example: dctwire devices untag 2cvxpk4z site roof
    """
    _change_tags(device, {"remove": tags}, server, as_json=as_json)


@devices.command()
def revoke(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Refuse whatever DEVICE sends, at every replica within two seconds. Its answers and labels stay.

    Example: dctwire devices revoke 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        row = client.put(_of(device, "revocation"))
        tell(row, f"{device} is revoked. To let it in again: dctwire devices restore {device}", as_json=as_json)


@devices.command()
def restore(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Let a revoked DEVICE in again, with the token that it has.

    Example: dctwire devices restore 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        row = client.delete(_of(device, "revocation"))
        tell(row, f"{device} is let in.", as_json=as_json)


@devices.command()
def pin(
    device: DeviceName,
    counter: Annotated[int, typer.Argument(help="The bundle's number in its family; see: dctwire bundles", min=1)],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Have DEVICE run bundle COUNTER, whatever its family is assigned; it learns of it with its next upload.

    Example: dctwire devices pin 2cvxpk4z 3
    """
    with _asking(device, server, as_json=as_json, hints=BUNDLE_HINTS) as client:
        row = client.put(_of(device, "pin"), {"counter": counter})
        text = f"{device} is to run {row['family']}/{counter}. To end that: dctwire devices unpin {device}"
        tell(row, text, as_json=as_json)


@devices.command()
def unpin(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Have a pinned DEVICE run what its family runs.

    Example: dctwire devices unpin 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        row = client.delete(_of(device, "pin"))
        tell(row, f"{device} is no longer pinned. {_runs(row)}", as_json=as_json)


@devices.command()
def quarantine(
    device: DeviceName,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.", metavar="TEXT")],
    counter: Annotated[
        int | None,
        typer.Option(help="The bundle to hold it at. Default: the one it runs, else its family's.", min=1),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Hold DEVICE at the bundle it runs, and count its frames nowhere: its camera is aimed wrong, or in doubt.

    Its frames are answered as before, but neither kept as samples nor counted in reports and accuracies.

    Example: dctwire devices quarantine 2cvxpk4z --reason "lens is dirty"
    """
    with _asking(device, server, as_json=as_json, hints=BUNDLE_HINTS) as client:
        row = client.put(_of(device, "quarantine"), {"reason": reason, "counter": counter})
        text = f"{device} is in quarantine. {_runs(row)} To end that: dctwire devices release {device}"
        tell(row, text, as_json=as_json)


@devices.command()
def release(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """End DEVICE's quarantine; what it sent meanwhile stays uncounted.

    Example: dctwire devices release 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        row = client.delete(_of(device, "quarantine"))
        tell(row, f"{device} is no longer in quarantine. {_runs(row)}", as_json=as_json)


@devices.command("clear-clone")
def clear_clone(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Take away the mark that says that DEVICE seems to be two; a new suspicion sets it again.

    Example: dctwire devices clear-clone 2cvxpk4z
    """
    with _asking(device, server, as_json=as_json) as client:
        row = client.delete(_of(device, "clone-mark"))
        tell(row, f"{device} is taken to be one device.", as_json=as_json)


@devices.command()
def forget(
    device: DeviceName,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing brings the data back.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Keep DEVICE out for good, and delete its answers, labels, samples, heartbeat, events, name and tags.

    Sums in reports stay, for they name no device. Its id is never given again; enrolled with a new code, the camera
    is a new device. To keep a device out and its data: dctwire devices revoke.

    Example: dctwire devices forget 2cvxpk4z --yes
    """
    with _asking(device, server, as_json=as_json) as client:
        if not yes:
            raise _unconfirmed(client.get(_of(device)))
        document = client.delete(_of(device))
        tell(document, f"{device} is let in no more, and its data are being deleted.", as_json=as_json)


class NotSentYetError(DctwireError):
    """A device has not sent what it was asked for."""

    code: ClassVar[str] = "not-sent-yet"


class NotConfirmedError(DctwireError):
    """What cannot be undone was asked for without `--yes`."""

    code: ClassVar[str] = "not-confirmed"


@contextmanager
def _asking(device: str, server: str, *, as_json: bool, hints: Mapping[str, str] = HINTS) -> Iterator[OperatorClient]:
    """A client to ask about one device, whose name may be mistyped."""
    with connected(server, as_json=as_json, hints=hints) as client, device_looked_up(client, device):
        yield client


def _change_tags(device: str, change: dict[str, list[str]], server: str, *, as_json: bool) -> None:
    with _asking(device, server, as_json=as_json) as client:
        row = client.post(_of(device, "tags"), change)
        tags = ", ".join(row["tags"])
        tell(row, f"{device} has the tags {tags}." if tags else f"{device} has no tags.", as_json=as_json)


def _unconfirmed(row: Mapping[str, Any]) -> NotConfirmedError:
    """Why a device is not forgotten yet; names it so that a slip is seen."""
    name = f" ({row['name']})" if row["name"] else ""
    return NotConfirmedError(f"{row['device_id']}{name} of {row['family']} would be forgotten with all its data")


def _of(device: str, part: str = "") -> str:
    return f"/v1/devices/{quote(device, safe='')}{part and f'/{part}'}"


def _runs(row: dict[str, Any]) -> str:
    """What a device should run, as a sentence."""
    if row["assigned"] is None:
        return f"Nothing is assigned to {row['family']} yet."
    below = (
        f", which is below the floor {row['floor']}: without these tables it gets none" if is_below_floor(row) else ""
    )
    return f"It is to run {row['family']}/{row['assigned']}{below}."
