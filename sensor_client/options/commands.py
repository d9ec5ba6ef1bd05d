"""Options of commands that take no pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sensor_client.options.program import StateOptions

Server = Annotated[
    str, typer.Option(metavar="URL", envvar="DCTWIRE_SENSOR_SERVER", help="The device plane, such as http://host:8000.")
]
Claim = Annotated[
    str,
    typer.Option(
        metavar="CODE", envvar="DCTWIRE_SENSOR_CLAIM", help="One-time code that the operator made (`dctwire claim`)."
    ),
]
Root = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        envvar="DCTWIRE_SENSOR_ROOT",
        exists=True,
        dir_okay=False,
        help="TUF root metadata: whose bundles this device will believe.",
    ),
]
Authorities = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        envvar="DCTWIRE_SENSOR_CA",
        exists=True,
        dir_okay=False,
        help="Certificates (PEM) that alone may vouch for an https server, instead of the usual authorities; kept.",
    ),
]
Images = Annotated[
    list[Path],
    typer.Argument(
        metavar="PICTURE...", exists=True, dir_okay=False, help="Pictures: JPEG, PNG, WebP, TIFF, BMP, GIF, PPM."
    ),
]
BundleFile = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="FILE", exists=True, dir_okay=False, help="Use the tables and the size of this bundle.json."
    ),
]
Quality = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", min=1, max=100, help="Use the standard tables at this quality; sizes stay."),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", file_okay=False, help="Write the streams into this folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


@dataclass(frozen=True, kw_only=True)
class ExaminationOptions(StateOptions):
    """What `doctor` and `selftest` take."""

    source: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", envvar="DCTWIRE_SENSOR_SOURCE", help="The source of `run`, to look at it, too."
        ),
    ] = None
    json: AsJson = False
