"""`dctwire fallback`: which classifier answers a family's frames of unknown tables, if any does."""

from typing import Annotated, Any

import typer

from cloud_server.cli.known_names import warn_of_unknown
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Family, Server, connected
from cloud_server.cli.output import say, show_json, show_table, tell
from shared.errors import RefusedError
from shared.wire import ProblemCode

HINTS = {
    "not-found": "See what is published with: dctwire fallback list",
    "conflict": "See its classifier's state with: dctwire fallback list",
}

fallback = typer.Typer(
    help="Say which fallback answers a family: publishing one changes no answer, releasing it does.\n\n"
    "Example: dctwire fallback release digits fallback-3f0c2a",
    no_args_is_help=True,
)


@fallback.command("list")
def list_fallbacks(
    family: Annotated[str | None, typer.Argument(help="Of this family alone.", metavar="[FAMILY]")] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List fallbacks, in the order in which they were published, and which of them are released.

    Only what is listed, in its family's signed targets, can be released; publishing it again lists it anew.

    Example: dctwire fallback list digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        rows = [row for row in client.get("/v1/fallbacks")["fallbacks"] if family in (None, row["family"])]
        if family is not None and not rows:
            warn_of_unknown(client, family)
        show_json({"fallbacks": rows}) if as_json else show_fallbacks(rows, NONE_YET)


@fallback.command()
def release(
    family: Family,
    name: Annotated[str, typer.Argument(help="The fallback; see: dctwire fallback list", metavar="NAME")],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Have fallback NAME answer FAMILY's frames of unknown tables, in the place of any other.

    Every process of the server has to have it first; an earlier one is released again in the same way.

    Example: dctwire fallback release digits fallback-3f0c2a
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        made = released(client, family, name if "/" in name else f"{family}/{name}")
        tell(made, f"{made['name']} answers {family}'s frames of unknown tables.", as_json=as_json)


@fallback.command()
def withdraw(family: Family, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Have no fallback answer FAMILY: its bundles answer frames of unknown tables, as far as they can.

    Example: dctwire fallback withdraw digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        done = client.delete(f"/v1/fallbacks/{family}/released")
        warn_of_unknown(client, family)
        tell(done, f"No fallback answers {family} any more.", as_json=as_json)


NONE_YET = "No fallback is published. Next: dctwire publish FOLDER --keys KEYS"


def released(client: OperatorClient, family: str, name: str) -> Any:
    """Release a fallback; returns what the server says.

    Raises:
        RefusedError, ChannelError: as the server says.
    """
    try:
        return client.put(f"/v1/fallbacks/{family}/released", {"name": name})
    except RefusedError as error:
        if error.code == ProblemCode.NOT_FOUND:
            warn_of_unknown(client, family)
        raise


def show_fallbacks(rows: list[dict[str, Any]], empty: str) -> None:
    """The table of fallbacks, and why classifiers are not loaded."""
    columns = {
        "name": "fallback",
        "registered_at": "published",
        "state": "classifier",
        "precision": "computes",
        "is_listed": "listed",
        "is_released": "released",
    }
    show_table("Fallbacks", rows, columns, empty)
    tell_failures(rows)


def tell_failures(rows: list[dict[str, Any]]) -> None:
    """Say why classifiers of what is published are not loaded."""
    for row in rows:
        if row["failure"] is not None:
            say(f"{row['name']} is not loaded: {row['failure']}")
