"""`dctwire-trainer frames`: held-out pictures as files for a simulated camera."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import DataOption
from trainer.cli.program import Program
from trainer.data import SplitName
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue, parse_section
from trainer.data.png_files import write_description, write_pictures
from trainer.errors import RecipeError


def frames(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder to write <label>/<index>.png into.")],
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many pictures.")] = 256,
    data: Annotated[str, typer.Option(help="`synthetic`, `cifar-100-python` or `tiny-imagenet-200`.")] = "synthetic",
    split: Annotated[SplitName, typer.Option(help="Which pictures; `test` is held out.")] = SplitName.TEST,
    size: Annotated[int, typer.Option(help="Synthetic only: 32 or 64 pixels a side.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the data set.")] = 1,
    data_dir: DataOption = None,
) -> None:
    """Write held-out pictures as PNG files for a simulated camera; sort them by name for a mixed order of labels."""
    program = Program.of(context)
    section = parse_section({"name": data, "seed": seed} | ({"size": size} if data == "synthetic" else {}))
    catalogue = Catalogue(data_dir, ArrayCache(program.machine(data_dir, None).cache_dir))
    with program.terminal.bar(f"{data}: {split} pictures") as progress:
        pictures, classes, name = catalogue.pictures(section, split, count)
        if len(pictures) < count:
            raise RecipeError(f"the {split} split of {name} has {len(pictures)} pictures, not {count}")
        write_description(out, data=name, split=split, count=count)
        write_pictures(pictures, classes, out, lambda done: progress(done, count))
    program.terminal.say(f"{count} {split} pictures of {name} in {out}")
