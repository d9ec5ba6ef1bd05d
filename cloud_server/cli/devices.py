"""`dctwire devices`: see the devices, and say which of them are let in."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cloud_server.cli.known_names import device_looked_up
from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Server, connected
from cloud_server.cli.output import show_json, show_table

COLUMNS = {
    "device_id": "device",
    "family": "family",
    "enrolled_at": "enrolled",
    "last_seen_at": "last seen",
    "last_tables": "tables",
}
HINTS = {
    "not-found": "See the devices with: dctwire devices",
    "bad-request": "A device's name has small letters and digits. See the devices with: dctwire devices",
}
DeviceName = Annotated[
    str, typer.Argument(help="The device's name, as lists and frames' ids have it.", metavar="DEVICE")
]

devices = typer.Typer(help="List the devices; revoke and restore them.")


@devices.callback(invoke_without_command=True)
def list_devices(context: typer.Context, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the devices, when each was last here, and the tables it last sent; revoke and restore them.

    Example: dctwire devices
    """
    if context.invoked_subcommand is not None:
        return
    with connected(server, as_json=as_json) as client:
        document = client.get("/v1/devices")
        if as_json:
            show_json(document)
        else:
            _show(document["devices"])


@devices.command()
def revoke(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Refuse whatever DEVICE sends, at every replica within two seconds. Its answers and labels stay.

    Example: dctwire devices revoke 2cvxpk4z
    """
    with connected(server, as_json=as_json, hints=HINTS) as client, device_looked_up(client, device):
        row = client.put(_revocation(device))
        if as_json:
            show_json(row)
        else:
            typer.echo(f"{device} is revoked. To let it in again: dctwire devices restore {device}")


@devices.command()
def restore(device: DeviceName, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Let a revoked DEVICE in again, with the token that it has.

    Example: dctwire devices restore 2cvxpk4z
    """
    with connected(server, as_json=as_json, hints=HINTS) as client, device_looked_up(client, device):
        row = client.delete(_revocation(device))
        if as_json:
            show_json(row)
        else:
            typer.echo(f"{device} is let in.")


def _revocation(device: str) -> str:
    return f"/v1/devices/{quote(device, safe='')}/revocation"


def _show(rows: list[dict[str, Any]]) -> None:
    """A table; it says who is revoked only where somebody is."""
    is_any_revoked = any(row["revoked_at"] is not None for row in rows)
    columns = COLUMNS | ({"revoked_at": "revoked"} if is_any_revoked else {})
    show_table("Devices", rows, columns, "No device is enrolled yet. Next: dctwire claim FAMILY")
