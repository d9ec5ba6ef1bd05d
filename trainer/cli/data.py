"""`dctwire-trainer data`: published data sets, and folders of pictures of one's own."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import CacheOption, DataOption, SourceArgument
from trainer.cli.program import Program
from trainer.cli.recipe_choice import chosen_recipe
from trainer.cli.tables import dataset_table
from trainer.data.fetch import PUBLISHED, fetch
from trainer.errors import RecipeError

app = typer.Typer(help="Published data sets, and folders of pictures of your own.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Published data sets, and folders of pictures of your own."""


@app.command("check")
def check_folder(
    context: typer.Context,
    source: SourceArgument,
    budget: Annotated[float | None, typer.Option(help="Scan bytes a frame; frames are as large as it buys.")] = None,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Look at all pictures before anything is trained: classes, splits, what cannot be read, what is there twice.

    [bold]For example:[/] dctwire-trainer data check pets
    """
    program = Program.of(context)
    dataset = program.machine(data_dir, cache_dir).dataset(chosen_recipe(source, [], budget))
    program.terminal.show(dataset_table(dataset))


@app.command("fetch")
def fetch_data(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="`cifar-100-python` or `tiny-imagenet-200`.")],
    data_dir: Annotated[Path, typer.Option(envvar="DCTWIRE_DATA", help="Folder to put the data set's folder in.")],
    mirror: Annotated[str | None, typer.Option(help="Another URL of the same archive.")] = None,
) -> None:
    """Download a data set from its authors, check it against its published SHA-256, and unpack it."""
    if name not in PUBLISHED:
        raise RecipeError(f"no data set {name!r} to fetch; there are {', '.join(PUBLISHED)}")
    published = replace(PUBLISHED[name], url=mirror or PUBLISHED[name].url)
    program = Program.of(context)
    with program.terminal.bar(f"{name} (bytes)") as progress:
        folder = fetch(name, published, data_dir, program.monotonic, progress)
    program.terminal.say(f"{name} is in {folder}")
