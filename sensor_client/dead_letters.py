"""`dctwire-sensor dead-letters`: frames that the server refused for good are looked at, sent again, or cleared.

Its commands work beside `run`, which sends what is to be sent again within a minute.
"""

import contextlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

import typer

from sensor_client import options
from sensor_client.spool import DeadLetter, NoSpoolError, Spool, SpoolLimits
from sensor_client.state_directory import StateDirectory
from shared import durable
from shared.plain_text import escaped_lines

Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="NUMBER...", help="Only the frames with these numbers; otherwise all.")
]
Folder = Annotated[Path, typer.Option("--out", metavar="DIR", file_okay=False, help="The folder to write to.")]

commands = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at frames that the server refused for good, send them again, or clear them.",
)


@commands.command("list")
def list_them(state: options.State, as_json: options.AsJson = False) -> None:
    """Print the frames that were refused for good, and why."""
    with _spool(state, is_read=True) as spool:
        letters = spool.dead_letters()
    if as_json:
        typer.echo(json.dumps([_told(letter) for letter in letters]))
        return
    for letter in letters:
        said = letter.detail.removeprefix(f"{letter.code}: ")  # an error of ours begins with its code
        why = f"{letter.status} {letter.code}: {said}"
        typer.echo(escaped_lines(f"{letter.sequence}  {len(letter.body)} bytes  {why}"))
    if not letters:
        typer.echo("no frame is kept that was refused")


@commands.command()
def retry(state: options.State, numbers: Numbers = None) -> None:
    """Let them wait again, to be sent under new numbers: after the server was mended, or knows the tables."""
    with _spool(state) as spool:
        unknown = _unknown(spool.dead_letters(), numbers)
        typer.echo(f"to be sent again: {_frames(spool.send_again(numbers or None))}")
    _tell_unknown(unknown)


@commands.command()
def export(state: options.State, out: Folder, numbers: Numbers = None) -> None:
    """Write each one as it was sent (NUMBER.jpg), and why it was refused (NUMBER.json), into a folder."""
    with _spool(state, is_read=True) as spool:
        kept = spool.dead_letters()
    letters = [letter for letter in kept if _is_chosen(letter, numbers)]
    out.mkdir(parents=True, exist_ok=True)
    for letter in letters:
        durable.write_file(out / f"{letter.sequence}.jpg", letter.body, mode=0o600)
        durable.write_file(out / f"{letter.sequence}.json", (json.dumps(_told(letter)) + "\n").encode(), mode=0o600)
    typer.echo(f"written: {_frames(len(letters))}")
    _tell_unknown(_unknown(kept, numbers))


@commands.command()
def clear(state: options.State, numbers: Numbers = None) -> None:
    """Drop them; they are still counted as refused."""
    with _spool(state) as spool:
        unknown = _unknown(spool.dead_letters(), numbers)
        typer.echo(f"dropped: {_frames(spool.clear_dead_letters(numbers or None))}")
    _tell_unknown(unknown)


@contextlib.contextmanager
def _spool(state: Path, is_read: bool = False) -> Iterator[Spool]:
    path = StateDirectory(state).spool_file
    if not path.is_file():
        raise NoSpoolError(path)
    with contextlib.closing(Spool(path, SpoolLimits(), first_sequence=None if is_read else 1)) as spool:
        yield spool


def _is_chosen(letter: DeadLetter, numbers: Collection[int] | None) -> bool:
    return not numbers or letter.sequence in numbers


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _unknown(kept: Collection[DeadLetter], numbers: Collection[int] | None) -> list[int]:
    return sorted(set(numbers or ()) - {letter.sequence for letter in kept})


def _tell_unknown(numbers: Collection[int]) -> None:
    """Say which numbers no refused frame has, and end with 1 where there are any."""
    if numbers:
        named = ", ".join(map(str, numbers))
        typer.echo(f"no refused frame has the number {named}; see dctwire-sensor dead-letters list", err=True)
        raise typer.Exit(1)


def _told(letter: DeadLetter) -> dict[str, object]:
    return {name: value for name, value in vars(letter).items() if name != "body"} | {"bytes": len(letter.body)}
