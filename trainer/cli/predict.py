"""`dctwire-trainer predict`: what a camera would send of pictures, and what the classifier says of it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer import jobs
from trainer.cli.options import PICTURES_HELP, CacheOption, DataOption, ZooOption
from trainer.cli.program import Program
from trainer.cli.terminal import Terminal
from trainer.cli.zoo_folder import zoo_folder
from trainer.errors import DatasetError, RunError
from trainer.export.bundle import Exportable
from trainer.zoo.trial import Trial, classify

AT_ONCE = 64  # pictures in memory


def predict(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A bundle's folder, a run's, or an entry that `zoo list` names.")
    ],
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help=PICTURES_HELP)],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of lines.")] = False,
    folder: ZooOption = None,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Encode pictures as the bundle's cameras would, and classify what the server would get.

    [bold]For example:[/] dctwire-trainer predict cifar100-150 cat.jpg dog.png

    Of each picture: the bytes of the frame that would be sent and of the scan in it, what that saves against the
    picture's own JPEG file, and the five likeliest labels. What cannot be read is named, and the exit status is 1 then.
    """
    program = Program.of(context)
    content = jobs.content_of(source, zoo_folder(folder), program.machine(data_dir, cache_dir))
    failed = _Failures(program.terminal)
    trials = _trials(content, pictures, failed)
    if as_json:
        print(json.dumps([as_object(trial) for trial in trials], indent=2))
    else:
        for trial in trials:
            print(told(trial))
    if failed.count:
        raise RunError(f"{failed.count} of {len(pictures)} pictures cannot be read")


def told(trial: Trial) -> str:
    """Describe a trial in lines: the picture's bytes, and below them its likeliest labels."""
    own = "" if trial.saved is None else f"; its own JPEG has {trial.own_jpeg_bytes}: {trial.saved:.1%} saved"
    lines = [
        f"{trial.picture}: {trial.wire_bytes} bytes on the wire, {trial.scan_bytes} of them scan "
        f"({trial.file_bytes} as a whole file){own}"
    ]
    return "\n".join([*lines, *(f"  {odds:6.1%}  {label}" for label, odds in trial.likeliest)])


def as_object(trial: Trial) -> dict[str, Any]:
    """Describe a trial as JSON."""
    return {
        "picture": str(trial.picture),
        "scan_bytes": trial.scan_bytes,
        "frame_bytes": trial.wire_bytes,
        "file_bytes": trial.file_bytes,
        "own_jpeg_bytes": trial.own_jpeg_bytes,
        "saved": trial.saved,
        "likeliest": [{"label": label, "probability": odds} for label, odds in trial.likeliest],
    }


class _Failures:
    """Names pictures that cannot be read, and counts them."""

    def __init__(self, terminal: Terminal) -> None:
        self.count = 0
        self._terminal = terminal

    def add(self, error: DatasetError) -> None:
        self.count += 1
        self._terminal.fail(str(error))


def _trials(content: Exportable, pictures: Sequence[Path], failed: _Failures) -> Iterator[Trial]:
    for start in range(0, len(pictures), AT_ONCE):
        some = pictures[start : start + AT_ONCE]
        try:
            yield from classify(content, some)
        except DatasetError:
            yield from _one_by_one(content, some, failed)


def _one_by_one(content: Exportable, pictures: Sequence[Path], failed: _Failures) -> Iterator[Trial]:
    for picture in pictures:
        try:
            yield from classify(content, [picture])
        except DatasetError as error:
            failed.add(error)
