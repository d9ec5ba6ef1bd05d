"""`dctwire-trainer zoo`: what is in the zoo, pictures of one's own through it, and a new entry."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import PICTURES_HELP, ZooOption
from trainer.cli.predict import told
from trainer.cli.zoo_folder import zoo_folder
from trainer.data import SplitName
from trainer.evaluation.files import read_evaluation
from trainer.zoo.entry import Entry, add, check, entries, read
from trainer.zoo.trial import classify

app = typer.Typer(help="Classifiers that were trained already: list them, try them on your own pictures.")


@app.command("list")
def list_entries(folder: ZooOption = None) -> None:
    """Every entry with its figures on its data set's test split; each is proved on this machine first."""
    zoo = zoo_folder(folder)
    found = entries(zoo)
    if not found:
        print(f"no entries in {zoo}: only the repository has them, no wheel; name its trainer/zoo with --folder")
    for entry in found:
        check(entry)
        print(described(entry))


@app.command("try")
def try_pictures(
    name: Annotated[str, typer.Argument(help="An entry that `zoo list` names.")],
    pictures: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help=PICTURES_HELP)],
    folder: ZooOption = None,
) -> None:
    """Encode pictures as the entry's cameras would, and classify what the server would get; see `predict`."""
    for trial in classify(read(zoo_folder(folder), name).content, pictures):
        print(told(trial))


@app.command("add")
def add_entry(
    name: Annotated[str, typer.Argument(help="Name of the new entry, e.g. cifar100-60.")],
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE_DIR", help="A folder that `export` wrote.")],
    run: Annotated[Path, typer.Option(help="The run that the bundle was exported from, already evaluated.")],
    made_by: Annotated[list[str], typer.Option(help="A command that made the bundle; once for each, in order.")],
    folder: ZooOption = None,
) -> None:
    """Put a bundle exported with --golden generated into the zoo, with its figures and the commands that made it."""
    evaluated = read_evaluation(run, SplitName.TEST)
    print(described(add(zoo_folder(folder), name, bundle, evaluated, tuple(made_by))))


def described(entry: Entry) -> str:
    """Describe an entry in one line."""
    figures, frame = entry.evaluation, entry.bundle.input
    return (
        f"{entry.name}: {figures.data}, {frame.width} x {frame.height}, {len(entry.content.labels)} labels; accuracy "
        f"{figures.accuracy:.1%} (95 % interval {figures.low:.1%} to {figures.high:.1%}, n = {figures.n}) "
        f"at {figures.scan.mean:.1f} scan bytes, {figures.wire.mean:.1f} on the wire, {figures.file.mean:.1f} as a file"
    )
