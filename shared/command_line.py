"""What the command lines of all programs have in common: how they start, `-h`, `--version`, variables checked first."""

import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from shared.environment import UnknownVariableError, require_known

EXIT_USAGE = 2
Version = Annotated[bool, typer.Option("--version", help="Print the version and end; every command takes it.")]
_HELP = ("-h", "--help")
_OUR_PACKAGES = ("shared", "sensor_client", "cloud_server", "trainer")


class CommandLine(TyperGroup):
    """A program: `typer.Typer(cls=CommandLine, callback=program_options)`.

    `-h` is `--help`, and `--version` prints the version, at every command. A command is refused while the environment
    holds a variable that looks like one of ours and is none; help is not.
    """

    def __init__(self, **attributes: Any) -> None:
        settings = {"help_option_names": list(_HELP)} | (attributes.pop("context_settings", None) or {})
        super().__init__(context_settings=settings, **attributes)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look at the options of whichever command is named before anything is done."""
        options = set(args[: args.index("--")] if "--" in args else args)
        if "--version" in options:
            typer.echo(f"{ctx.info_name} {version('dctwire')}")
            raise typer.Exit
        if args and not options & set(_HELP):
            _require_known_variables()
        return super().parse_args(ctx, args)


def run_program(module: str, extra: str) -> None:
    """Load a program and run its `main`; where a package is not installed, name the extra that brings it.

    One distribution holds every program, so each can be typed wherever one of them was installed.
    """
    try:
        program = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OUR_PACKAGES:
            raise
        sys.exit(
            f"{Path(sys.argv[0]).name}: the package {error.name} is not installed here.\n"
            f"Next: {sys.executable} -m pip install 'dctwire[{extra}]'"
        )
    program.main()


def program_options(_version: Version = False) -> None:
    """The options of a program that has no others; `CommandLine` answers them."""


def _require_known_variables() -> None:
    try:
        require_known(os.environ)
    except UnknownVariableError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error
