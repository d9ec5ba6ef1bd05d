"""An entry of the zoo: a bundle folder, its evaluation, the command that made it, and frames with their logits."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.bundle import Bundle
from shared.jpeg import Stream
from trainer.classifier import OnnxClassifier, check_parity
from trainer.data import Split, SplitName, synthetic
from trainer.errors import RunError
from trainer.evaluation import Evaluated, Evaluation, decode
from trainer.evaluation_files import read_evaluation, write_evaluation
from trainer.export import PARITY_TOLERANCE, Exportable, read_bundle
from trainer.model_folder import BUNDLE_NAME, LABELS_NAME, MODEL_NAME
from trainer.whole_file import write_whole

BUDGET_BYTES = 20 * 2**20  # of the whole zoo: everyone who clones the repository carries it
BUNDLE_FILES = (MODEL_NAME, LABELS_NAME, BUNDLE_NAME)  # the bundle last
GOLDEN_FRAMES = 8
GOLDEN_SIDE = 32  # pictures of `synthetic`, laid side by side until the frame is full


class Origin(BaseModel):
    """What made an entry, and what its classifier must say.

    Args:
        made_by: commands, in order.
        frames: abbreviated JPEG streams of generated pictures.
        logits: of each frame, by ONNX Runtime where the entry was made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    made_by: tuple[str, ...]
    frames: tuple[bytes, ...]
    logits: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Entry:
    """One entry, read and found whole.

    Args:
        evaluated: on the data set's test split, frame by frame.
    """

    folder: Path
    bundle: Bundle
    parts: Exportable
    evaluated: Evaluated
    origin: Origin

    @property
    def name(self) -> str:
        """What it is called: its folder's name."""
        return self.folder.name

    @property
    def evaluation(self) -> Evaluation:
        """The figures alone."""
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
    bundle, parts = read_bundle(folder)
    evaluated = read_evaluation(folder, SplitName.TEST)
    try:
        origin = Origin.model_validate_json((folder / "origin.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{folder} is no whole entry: {error}") from error
    return Entry(folder, bundle, parts, evaluated, origin)


def add(zoo: Path, name: str, bundle_folder: Path, evaluated: Evaluated, made_by: tuple[str, ...]) -> Entry:
    """Make an entry of an exported bundle; bundle.json comes last, so an entry that has one is whole.

    Raises:
        RunError: the evaluation is another bundle's, the zoo would take more than its budget, or the name is taken.
    """
    bundle, parts = read_bundle(bundle_folder)
    folder = zoo / name
    if (folder / "bundle.json").exists():
        raise RunError(f"{folder} is there already: remove it first")
    _check_belongs(bundle, evaluated.evaluation)
    size = size_bytes(zoo) + sum((bundle_folder / file).stat().st_size for file in BUNDLE_FILES)
    if size > BUDGET_BYTES:
        raise RunError(f"with {name} the zoo would take {size / 2**20:.1f} MiB, over {BUDGET_BYTES / 2**20:.0f}")
    folder.mkdir(parents=True, exist_ok=True)
    write_evaluation(folder, evaluated)
    origin = _origin(parts, made_by).model_dump_json(indent=2).encode() + b"\n"
    write_whole(folder / "origin.json", lambda file: file.write(origin))
    for file in BUNDLE_FILES:
        shutil.copyfile(bundle_folder / file, folder / file)
    return read(zoo, name)


def check(entry: Entry) -> float:
    """Prove an entry here: this codec makes the bundle's bytes, and this ONNX Runtime gives the golden logits.

    Returns:
        The largest difference of a logit, relative to their spread.

    Raises:
        SelftestError: the encoder makes other bytes.
        RunError: the evaluation is another bundle's, or nothing says what made the entry.
        ParityError: the classifier says something else.
    """
    if not any(entry.origin.made_by):
        raise RunError(f"{entry.folder}: nothing says what made it")
    entry.bundle.check_selftest()
    _check_belongs(entry.bundle, entry.evaluation)
    expected = np.array(entry.origin.logits, np.float32)
    return check_parity(expected, logits_of(entry.parts, list(entry.origin.frames)), PARITY_TOLERANCE)


def logits_of(parts: Exportable, frames: list[bytes]) -> NDArray[np.float32]:
    """What a bundle's classifier says of streams made with the bundle's tables, float32 (n, classes)."""
    shape = (len(frames), parts.height, parts.width, 3)
    unknown = Split(np.empty(shape, np.uint8), np.zeros(len(frames), np.int64))
    return OnnxClassifier(parts.model).logits(decode(parts.encoding.tables, frames, unknown))


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


def _origin(parts: Exportable, made_by: tuple[str, ...]) -> Origin:
    frames = parts.encoding.encoder().encode_batch(_golden_pictures(parts.height, parts.width), Stream.ABBREVIATED)
    return Origin(made_by=made_by, frames=tuple(frames), logits=logits_of(parts, frames).tolist())


def _golden_pictures(height: int, width: int) -> NDArray[np.uint8]:
    """Generated ones, so that no data set is in the repository."""
    tiles = synthetic.generate(GOLDEN_SIDE, 0, SplitName.TEST, GOLDEN_FRAMES).pixels
    whole = np.tile(tiles, (1, -(-height // GOLDEN_SIDE), -(-width // GOLDEN_SIDE), 1))
    return np.ascontiguousarray(whole[:, :height, :width])
