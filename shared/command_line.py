"""What the command lines of all programs have in common: how they start, `-h`, `--version`, variables checked first."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from shared.environment import UnknownVariableError, require_known

EXIT_USAGE = 2
EXIT_BROKEN_PIPE = 128 + 13
"""What a shell says of a program that SIGPIPE ended."""
Version = Annotated[bool, typer.Option("--version", help="Print the version and end; every command takes it.")]
_HELP = ("-h", "--help")
_OUR_PACKAGES = ("shared", "sensor_client", "cloud_server", "trainer")


class CommandLine(TyperGroup):
    """A program: `typer.Typer(cls=CommandLine, callback=program_options)`.

    `-h` is `--help`, and `--version` prints the version, at every command. A command is refused while the environment
    holds a variable that looks like one of ours and is none; help is not. A program ends quietly when nobody reads its
    output any more.
    """

    def __init__(self, **attributes: Any) -> None:
        settings = {"help_option_names": list(_HELP)} | (attributes.pop("context_settings", None) or {})
        super().__init__(context_settings=settings, **attributes)

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the program."""
        with _ending_with_its_reader():
            return super().main(*arguments, **options)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look at the options of whichever command is named before anything is done."""
        _show_flags_without_values(self, ctx)
        options = set(args[: args.index("--")] if "--" in args else args)
        if "--version" in options:
            typer.echo(f"{ctx.info_name} {version('dctwire')}")
            raise typer.Exit
        if args and not options & set(_HELP):
            _require_known_variables()
        return super().parse_args(ctx, args)


def run_program(module: str, extra: str, needs: str | None = None) -> None:
    """Load a program and run its `main`; where a package is not installed, name the extra that brings it.

    One distribution holds every program, so each can be typed wherever one of them was installed.

    Args:
        needs: a package that the program loads only later, and cannot do without.
    """
    try:
        if needs is not None and find_spec(needs) is None:
            raise ModuleNotFoundError(name=needs)  # noqa: TRY301 - as if the program had loaded it
        program = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OUR_PACKAGES:
            raise
        sys.exit(
            f"{Path(sys.argv[0]).name}: the package {error.name} is not installed here.\n"
            f"Next: install dctwire's extra [{extra}] from its wheel: {sys.executable} -m pip install "
            f"'dctwire-....whl[{extra}]'. docs/getting-it.md says how that file is built"
        )
    program.main()


def program_options(_version: Version = False) -> None:
    """The options of a program that has no others; `CommandLine` answers them."""


def _show_flags_without_values(command: Any, ctx: Any) -> None:
    """Have the help of a command, and of those within it, name no value of options that take none."""
    for parameter in command.get_params(ctx):
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    for one in getattr(command, "commands", {}).values():
        _show_flags_without_values(one, ctx)


def _require_known_variables() -> None:
    try:
        require_known(os.environ)
    except UnknownVariableError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error


class _Output(io.FileIO):
    """Standard output: ends the program when nobody reads it any more (`dctwire devices | head`).

    That is no error of a file's, so it is told apart here, where it is known which file it was.
    """

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())  # what is still in buffers goes there at the end
            raise SystemExit(EXIT_BROKEN_PIPE) from None


@contextlib.contextmanager
def _ending_with_its_reader() -> Iterator[None]:
    """Have standard output be an `_Output`, unless it was replaced already, as tests do."""
    standard = sys.stdout
    if standard is not sys.__stdout__ or not isinstance(standard, io.TextIOWrapper):
        yield
        return
    raw = _Output(standard.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), standard.encoding, standard.errors, line_buffering=standard.line_buffering
    )
    try:
        yield
    finally:
        sys.stdout.flush()
