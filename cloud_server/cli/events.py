"""`dctwire events`: what the server noticed by itself, and whether webhooks tell others of it."""

import json
import time
from typing import Annotated, Any

import typer

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Server, connected
from cloud_server.cli.output import EXIT_FAILED, say, show_json, show_table, tell

PAGE = 1000
LOOK_SECONDS = 0.5
WAIT_SECONDS = 30.0
"""Longer than an endpoint may take to answer, and than another process takes to go on with the telling."""
HINTS = {
    "conflict": "See what waits, and why, with: dctwire events endpoints",
    "not-found": "See the endpoints with: dctwire events endpoints. The server's DCTWIRE_SERVER_WEBHOOKS names them",
}

events = typer.Typer(help="What the server noticed by itself, and who is told of it.", no_args_is_help=True)


@events.command("list")
def list_events(
    limit: Annotated[int, typer.Option(metavar="COUNT", min=1, max=PAGE, help="The most events to list.")] = 50,
    before: Annotated[int | None, typer.Option(metavar="EVENT", min=1, help="List older events than this.")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List events, newest first. What operators changed is in: dctwire audit list.

    Example: dctwire events list --limit 10
    """
    wanted = {"limit": limit} | ({} if before is None else {"before": before})
    with connected(server, as_json=as_json) as client:
        page = client.get("/v1/events", wanted)
        if as_json:
            show_json(page)
            return
        found = [
            {**row, "happened_at": row["at_ms"] / 1000, "facts": json.dumps(row["facts"])} for row in page["events"]
        ]
        columns = {"seq": "event", "happened_at": "when", "kind": "kind", "subject": "of", "facts": "facts"}
        show_table("Events", found, columns, "Nothing has happened that the server tells of.")
        if len(found) == limit:
            say(f"For older events, repeat the command with --before {found[-1]['seq']}.")


@events.command("endpoints")
def list_endpoints(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the endpoints that webhooks tell, and how they do.

    Example: dctwire events endpoints
    """
    with connected(server, as_json=as_json) as client:
        document = client.get("/v1/webhooks")
        if as_json:
            show_json(document)
            return
        rows = [row | {"kinds": " ".join(row["kinds"])} for row in document["webhooks"]]
        columns = {
            "endpoint": "endpoint",
            "host": "where",
            "kinds": "kinds",
            "pending": "pending",
            "oldest_at": "since",
            "delivered_at": "told",
            "failures": "failures",
            "fault": "fault",
        }
        show_table("Endpoints", rows, columns, "The server tells nobody: DCTWIRE_SERVER_WEBHOOKS names no endpoint.")


@events.command("test")
def test_endpoint(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name in the server's settings.")],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Have ENDPOINT told `webhook.test`, and say whether it took it; what waits for it is told before.

    Example: dctwire events test pager
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        event = client.post(f"/v1/webhooks/{endpoint}/test", {})
        row = _told(client, endpoint)
        is_told = row["pending"] == 0
        text = f"{endpoint} took it." if is_told else f"{endpoint} has not taken it: {row['fault'] or 'it waits'}"
        tell({"event": event["seq"], "is_told": is_told, "webhook": row}, text, as_json=as_json)
        if not is_told:
            raise typer.Exit(EXIT_FAILED)


@events.command("skip")
def skip_message(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name in the server's settings.")],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Pass ENDPOINT over the message that it refused the last time, for good; what waits behind is told then.

    Example: dctwire events skip pager
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        skipped = client.post(f"/v1/webhooks/{endpoint}/skip", {})
        text = f"{endpoint} will not be told of {skipped['id']}: {skipped['kind']} of {skipped['subject']}."
        tell(skipped, text, as_json=as_json)


def _told(client: OperatorClient, endpoint: str) -> dict[str, Any]:
    """How the endpoint does, once nothing waits for it, or it was seen to fail, or waiting is of no use."""
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        rows: list[dict[str, Any]] = client.get("/v1/webhooks")["webhooks"]
        row = next(row for row in rows if row["endpoint"] == endpoint)
        if row["pending"] == 0 or row["failures"] > 0 or time.monotonic() > give_up:
            return row
        time.sleep(LOOK_SECONDS)
