"""Every data set by its [data] section of a recipe; a new data set joins here and has a module of its own."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from trainer.data import cifar, folder, synthetic, tiny_imagenet
from trainer.data.cache import ArrayCache
from trainer.data.cifar import CifarData
from trainer.data.dataset import Augmentation, Dataset, Progress, Split, SplitName
from trainer.data.folder import FolderData, ImageNetData
from trainer.data.synthetic import SyntheticData
from trainer.data.tiny_imagenet import TinyImageNetData
from trainer.errors import RecipeError
from trainer.section import faults

DataSection = Annotated[
    SyntheticData | CifarData | TinyImageNetData | FolderData | ImageNetData, Field(discriminator="name")
]


@dataclass(frozen=True)
class Catalogue:
    """The data sets of one machine.

    Args:
        data: the folder that holds data sets from elsewhere, where there is one.
        cache: for what was generated or decoded.
        progress: called with pictures done and in all, while generating or decoding.
    """

    data: Path | None
    cache: ArrayCache
    progress: Progress = lambda *_: None

    def load(self, section: DataSection) -> Dataset:
        """The whole data set.

        Raises:
            RecipeError: it needs a data folder, and there is none.
            DatasetError: it is missing or damaged.
        """
        return replace(self._load(section), augmentation=Augmentation(section.pad, section.flip))

    def pictures(self, section: DataSection, split: SplitName, count: int) -> tuple[Split, tuple[str, ...], str]:
        """The first pictures of a split, or all; with the names of classes and data set. Generates no more than them.

        Raises:
            RecipeError, DatasetError: as in `load`.
        """
        if isinstance(section, SyntheticData):
            name = synthetic.SyntheticConfig(section.size, section.seed).name
            return synthetic.generate(split, count, size=section.size, seed=section.seed), synthetic.CLASSES, name
        dataset = self.load(section)
        return dataset.split(split).head(count), dataset.classes, dataset.name

    def _load(self, section: DataSection) -> Dataset:
        match section:
            case SyntheticData():
                config = synthetic.SyntheticConfig(
                    section.size, section.seed, section.train, section.validation, section.test
                )
                return synthetic.load(config, self.cache, self.progress)
            case CifarData():
                return cifar.load(self._folder(cifar.FOLDER), section.seed, section.validation)
            case TinyImageNetData():
                data = self._folder(tiny_imagenet.FOLDER)
                return tiny_imagenet.load(data, section.seed, self.cache, section.validation, self.progress)
            case FolderData() | ImageNetData():
                return folder.load(self._config(section), self.cache, self.progress)

    def _config(self, section: FolderData | ImageNetData) -> folder.FolderConfig:
        root = Path(section.path)
        return folder.FolderConfig(
            root=root if root.is_absolute() else self._folder(section.path) / root,
            name=section.name if isinstance(section, ImageNetData) else root.name,
            size=section.size,
            seed=section.seed,
            validation=section.validation,
            crops=section.crops,
        )

    def _folder(self, name: str) -> Path:
        if self.data is None:
            raise RecipeError(f"this recipe's data set needs --data-dir (or DCTWIRE_DATA): a folder with {name}")
        return self.data


def parse_section(keys: dict[str, object]) -> DataSection:
    """A [data] section on its own.

    Raises:
        RecipeError: no data set has that name, or a value is out of range.
    """
    try:
        return TypeAdapter[DataSection](DataSection).validate_python(keys)
    except ValidationError as error:
        raise RecipeError(f"no such data:\n{faults(error)}") from error
