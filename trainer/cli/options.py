"""What several commands of `dctwire-trainer` take, called and explained the same in all of them."""

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `train` wrote.")]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER|RECIPE",
        help="A folder of pictures, one folder a class; or a recipe: a shipped one (see `recipes`) or a TOML file.",
    ),
]
PICTURES_HELP = (
    "Picture files, read as cameras read theirs: JPEG, PNG, WebP, TIFF, BMP, GIF or PPM. The rule: docs/pictures.md"
)
PictureOption = Annotated[Path, typer.Option(help="PNG file to write.")]
VariantOption = Annotated[
    list[str] | None, typer.Option(help="A variant of the recipe (see `recipes`); may be given again.")
]
ZooOption = Annotated[
    Path | None, typer.Option(help="Folder of the zoo's entries. Default: trainer/zoo, which only the repository has.")
]
DeviceOption = Annotated[str, typer.Option(help="`auto`: a GPU where there is one. Or cpu, cuda, cuda:1.")]
ThreadsOption = Annotated[
    int, typer.Option(min=1, help="CPU threads of this run; several runs side by side want few each.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar="DCTWIRE_DATA", help="Folder that holds data sets; `synthetic` needs none."),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        envvar="DCTWIRE_CACHE",
        help="Folder for generated and decoded pictures (at most 2 GiB are kept). Default: ~/.cache/dctwire",
    ),
]
