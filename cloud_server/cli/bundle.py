"""`dctwire bundle`: what is made of one bundle, without a server."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from cloud_server.c_library import CSource, c_source
from cloud_server.cli.options import AsJson
from cloud_server.cli.output import explained_errors, tell
from shared.bundle import BUNDLE_LIMIT_BYTES, BUNDLE_NAME, Bundle

HINTS = {
    "invalid-bundle": "Name the bundle.json that dctwire-trainer export wrote, or its folder",
    "unsupported-bundle": "Update dctwire here",
    "unsupported-in-c": "Export the bundle again without rdo_weights, or let such cameras run another bundle",
}

bundle = typer.Typer(help="Make something of one bundle; no server is asked.", no_args_is_help=True)


def folder_of(text: str) -> Path:
    """The folder of this name; an empty one, such as of a variable that is not set, would be the one typed in."""
    if not text:
        raise typer.BadParameter("is empty: name a folder, or . for the one you are in")
    return Path(text)


@bundle.callback()
def one_bundle() -> None:
    """Keep `to-c` a command of its own name while it is the only one."""


@bundle.command("to-c")
def to_c(
    path: Annotated[Path, typer.Argument(help="A bundle.json, or the folder it lies in.", metavar="BUNDLE")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", parser=folder_of, help="Where the two files are written; made if need be.", metavar="DIR"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Write BUNDLE as a C library for cameras without an operating system: one .c and one .h file.

    It is C99 that needs no other library, allocates nothing and computes in whole numbers. It makes the same bytes of
    a picture as `dctwire-sensor` does. Files of an earlier version of the same family are replaced.

    Example: dctwire bundle to-c bundles/v2 --out firmware/dctwire
    """
    with explained_errors(as_json=as_json, hints=HINTS):
        made = read_bundle(path)
        made.check_selftest()
        library = c_source(made, version("dctwire"))
        files = write_library(library, out)
        document = {
            "bundle": made.name,
            "tables_id": made.tables.tables_id,
            "library": library.name,
            "files": [str(file) for file in files],
        }
        size = f"{made.input.width} x {made.input.height}"
        tell(
            document,
            f"{' and '.join(map(str, files))} make frames of {made.name} ({size} pixels).\n"
            f"Next: compile the .c file with the camera's program, and include {library.name}.h there",
            as_json=as_json,
        )


def read_bundle(path: Path) -> Bundle:
    """The bundle of a file, or of the folder that it lies in.

    Raises:
        BundleError: these bytes are no bundle.
        OSError: the disk says no.
    """
    with (path / BUNDLE_NAME if path.is_dir() else path).open("rb") as file:
        return Bundle.from_bytes(file.read(BUNDLE_LIMIT_BYTES + 1))


def write_library(library: CSource, folder: Path) -> list[Path]:
    """Write a library's files, the header first.

    Raises:
        OSError: the disk says no.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / name: text for name, text in library.files.items()}
    for path, text in files.items():
        path.write_text(text, encoding="ascii", newline="\n")
    return [*files]
