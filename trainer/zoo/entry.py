"""An entry of the zoo: a bundle folder, its evaluation, and the commands that made it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.bundle import BUNDLE_NAME, Bundle, Golden
from shared.jpeg import Stream
from trainer.data import SplitName, noise
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluated, Evaluation
from trainer.evaluation.files import read_evaluation, write_evaluation
from trainer.export.bundle import PARITY_TOLERANCE, Exportable, logits_of, read_bundle
from trainer.export.classifier import check_parity
from trainer.export.golden import GENERATED
from trainer.whole_file import write_whole

LIMIT_BYTES = 20 * 2**20  # of the whole zoo: everyone who clones the repository carries it


class Origin(BaseModel):
    """What made an entry.

    Args:
        made_by: commands, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_by: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One entry, read and found whole.

    Args:
        int8: the classifier's eight-bit twin, if it has one.
        evaluated: on the data set's test split, frame by frame.
    """

    folder: Path
    bundle: Bundle
    content: Exportable
    int8: bytes | None
    golden: Golden
    evaluated: Evaluated
    origin: Origin

    @property
    def name(self) -> str:
        """The entry's name, which is its folder's."""
        return self.folder.name

    @property
    def evaluation(self) -> Evaluation:
        """The entry's figures, without the outcome of each frame."""
        return self.evaluated.evaluation


def entries(zoo: Path) -> list[Entry]:
    """All entries of a zoo, by name.

    Raises:
        RunError: one is damaged.
    """
    return [read(zoo, path.parent.name) for path in sorted(zoo.glob("*/bundle.json"))]


def read(zoo: Path, name: str) -> Entry:
    """One entry; its files are those that its bundle names.

    Raises:
        RunError: there is none of that name (says which there are), or it is damaged.
    """
    folder = zoo / name
    names = [path.parent.name for path in sorted(zoo.glob("*/bundle.json"))]
    if name not in names:
        raise RunError(f"no entry {name!r} in {zoo}; there: {', '.join(names) or 'none'}")
    bundle, files = read_bundle(folder)
    evaluated = read_evaluation(folder, SplitName.TEST)
    try:
        origin = Origin.model_validate_json((folder / "origin.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{folder} is no whole entry: {error}") from error
    return Entry(folder, bundle, Exportable.of(bundle, files), files.int8, files.golden, evaluated, origin)


def add(zoo: Path, name: str, bundle_folder: Path, evaluated: Evaluated, made_by: tuple[str, ...]) -> Entry:
    """Make an entry of an exported bundle; bundle.json comes last, so an entry that has one is whole.

    Raises:
        RunError: the evaluation is another bundle's, golden frames show a data set's pictures, the zoo would exceed
            its limit, or the name is taken.
    """
    bundle, files = read_bundle(bundle_folder)
    folder = zoo / name
    if (folder / "bundle.json").exists():
        raise RunError(f"{folder} is there already: remove it first")
    _check_belongs(bundle, evaluated.evaluation)
    _check_shows_nothing(bundle, files.golden)
    names = (*bundle.classifier.files, BUNDLE_NAME)  # the bundle last
    size = size_bytes(zoo) + sum((bundle_folder / file).stat().st_size for file in names)
    if size > LIMIT_BYTES:
        raise RunError(f"with {name} the zoo would take {size / 2**20:.1f} MiB, over {LIMIT_BYTES / 2**20:.0f}")
    folder.mkdir(parents=True, exist_ok=True)
    write_evaluation(folder, evaluated)
    origin = Origin(made_by=made_by).model_dump_json(indent=2).encode() + b"\n"
    write_whole(folder / "origin.json", lambda file: file.write(origin))
    for file in names:
        shutil.copyfile(bundle_folder / file, folder / file)
    return read(zoo, name)


def check(entry: Entry) -> float:
    """Prove an entry here: this codec makes the bundle's bytes, and this ONNX Runtime gives the golden logits.

    Returns:
        The largest difference of a logit, relative to their spread.

    Raises:
        SelftestError: the encoder makes other bytes.
        RunError: the evaluation is another bundle's, golden frames show a data set's pictures, or nothing says what
            made the entry.
        ParityError: the classifier says something else.
    """
    if not any(entry.origin.made_by):
        raise RunError(f"{entry.folder}: nothing says what made it")
    entry.bundle.check_selftest()
    _check_belongs(entry.bundle, entry.evaluation)
    _check_shows_nothing(entry.bundle, entry.golden)
    expected = np.array(entry.golden.logits, np.float32)
    logits = logits_of(entry.content, list(entry.golden.frames))
    return check_parity(expected, logits[: len(expected)], PARITY_TOLERANCE)


def size_bytes(zoo: Path) -> int:
    """Bytes of all entries' files."""
    return sum(path.stat().st_size for path in zoo.glob("*/*") if (path.parent / "bundle.json").exists())


def _check_belongs(bundle: Bundle, evaluation: Evaluation) -> None:
    wanted = (bundle.tables.tables_id, bundle.expected.data, SplitName.TEST)
    if (evaluation.tables_id, evaluation.data, evaluation.split) != wanted:
        raise RunError(
            f"the evaluation is of tables {evaluation.tables_id} on {evaluation.data} ({evaluation.split}); "
            f"{bundle.name} has tables {wanted[0]}, made for {wanted[1]}, and wants its test split"
        )


def _check_shows_nothing(bundle: Bundle, golden: Golden) -> None:
    pictures = noise.pictures(GENERATED, bundle.input.height, bundle.input.width)
    if not set(golden.frames) <= set(bundle.encoding.encoder().encode_batch(pictures, Stream.ABBREVIATED)):
        raise RunError(f"golden frames of {bundle.name} are a data set's: export it with --golden generated")
