"""`dctwire console`: how an operator comes to the pages that the server has for a browser."""

import typer

from cloud_server.cli.options import DEFAULT_SERVER, AsJson, Server, connected
from cloud_server.cli.output import tell

PATH = "/console/"

console = typer.Typer(help="The server's pages for a browser.", no_args_is_help=True)


@console.command()
def login(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """Make a one-time code with which you log in to the console; it is good once, for ten minutes.

    Example: dctwire console login
    """
    with connected(server, as_json=as_json) as client:
        made = client.post("/v1/login-codes", {})
        address = client.address + PATH
        text = f"Open {address} and log in with the code {made['code']}, once, within ten minutes."
        tell(made | {"address": address}, text, as_json=as_json)
