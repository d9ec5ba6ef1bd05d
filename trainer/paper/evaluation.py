"""A finished run's two rows: compliant, through integer tables and real streams, and literal, with real steps 1/q."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from trainer.data import Dataset, SplitName
from trainer.diff_jpeg import ReciprocalKernels
from trainer.encoding.encodings import dequantised, steps_of
from trainer.encoding.streams import Levels
from trainer.errors import RunError
from trainer.evaluation.evaluation import TOP, Evaluated, evaluate
from trainer.evaluation.fidelity import likeness
from trainer.evaluation.intervals import wilson_interval
from trainer.paper.joint_model import JointModel, new_model
from trainer.paper.literal import CHUNK, literal_logits, literal_pictures, literal_scan_bytes
from trainer.recipes.goals import PaperGoal
from trainer.recipes.recipe import PaperRecipe
from trainer.training.run_dir import Finished
from trainer.whole_file import write_whole

CPU = torch.device("cpu")


class LiteralEvaluation(BaseModel):
    """The paper's own figures on held-out pictures.

    Args:
        data, split, tables, n: as in `Evaluation`.
        accuracy, low, high: share of right labels with its 95 % Wilson interval.
        top5: share of pictures whose label is among the five likeliest.
        psnr_db, ssim: means over the pictures, in RGB.
        scan_bytes: mean; the levels' Huffman codes fitted to training pictures. No file could carry the real steps.
        dead: how many of the 192 kernels count as 0.
        colour: the trained transform (rows Y, Cb, Cr), and `inverse_colour` (rows R, G, B); None where JFIF's is used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    split: str
    tables: str
    n: int
    accuracy: float
    low: float
    high: float
    top5: float
    psnr_db: float
    ssim: float
    scan_bytes: float
    dead: int
    colour: list[list[float]] | None
    inverse_colour: list[list[float]] | None


def finished_model(run: Finished, dataset: Dataset) -> JointModel:
    """The trained model of a run.

    Raises:
        RunError: its net does not fit its recipe.
    """
    recipe, goal = run.asked.recipe, run.asked.goal
    assert isinstance(recipe, PaperRecipe)
    assert isinstance(goal, PaperGoal)
    model = new_model(recipe, dataset, goal)
    try:
        model.load_state_dict(run.net_state)
    except RuntimeError as error:
        raise RunError(f"net.pt does not fit the run's recipe: {error}") from error
    return model.eval()


def kernels_of(run: Finished) -> NDArray[np.float32]:
    """|q| of a run, float32 (3, 64), 0 where dead.

    Raises:
        RunError: it is none of the paper's method.
    """
    if "kernels.q" not in run.net_state:
        raise RunError(f"{run.summary.tables} has no kernels: only runs of the paper's method do")
    magnitudes: NDArray[np.float32] = ReciprocalKernels(run.net_state["kernels.q"]).magnitudes.detach().numpy()
    return magnitudes


def measure_compliant(run: Finished, model: JointModel, dataset: Dataset, split: SplitName) -> Evaluated:
    """What will happen in the field. A trained colour transform stays at home: cameras have JFIF's."""
    return evaluate(
        run.encoding,
        _OnLevels(model, steps_of(run.encoding)),
        dataset.split(split),
        data=dataset.name,
        split_name=split,
        description=run.summary.tables,
    )


def measure_literal(run: Finished, model: JointModel, dataset: Dataset, split: SplitName) -> LiteralEvaluation:
    """Measure the figures that the paper would report, with real steps instead of integers."""
    recipe, pictures = run.asked.recipe, dataset.split(split)
    assert isinstance(recipe, PaperRecipe)
    logits = literal_logits(model, pictures, CPU)
    likeliest = np.argsort(-logits, axis=1, kind="stable")[:, :TOP] == pictures.labels[:, None]
    low, high = wilson_interval(int(likeliest[:, 0].sum()), len(pictures))
    looks = likeness(pictures.pixels, literal_pictures(model, pictures, CPU))
    fit_on = dataset.train.head(recipe.jpeg.huffman_pictures)
    return LiteralEvaluation(
        data=dataset.name,
        split=split,
        tables=run.summary.tables,
        n=len(pictures),
        accuracy=float(likeliest[:, 0].mean()),
        low=low,
        high=high,
        top5=float(likeliest.any(1).mean()),
        psnr_db=float(looks.psnr_db.mean()),
        ssim=float(looks.ssim.mean()),
        scan_bytes=float(literal_scan_bytes(model, fit_on, pictures, CPU).mean()),
        dead=model.kernels.dead,
        colour=None if model.colour is None else model.colour.matrix.detach().tolist(),
        inverse_colour=None if model.colour is None else model.colour.inverse().tolist(),
    )


def write_literal(folder: Path, evaluation: LiteralEvaluation) -> None:
    """Write the literal figures beside `evaluation-<split>.json`."""
    text = evaluation.model_dump_json(indent=2).encode() + b"\n"
    write_whole(_path(folder, evaluation.split), lambda file: file.write(text))


def read_literal(folder: Path, split: SplitName) -> LiteralEvaluation:
    """Read the figures that `write_literal` wrote.

    Raises:
        RunError: it is missing or damaged.
    """
    path = _path(folder, split)
    try:
        return LiteralEvaluation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{path} holds no literal evaluation (`evaluate` writes it): {error}") from error


def _path(folder: Path, split: str) -> Path:
    return folder / f"evaluation-literal-{split}.json"


@dataclass(frozen=True)
class _OnLevels:
    """The model's classifier as `evaluate` takes one."""

    model: JointModel
    steps: Tensor

    @torch.no_grad()
    def logits(self, levels: Levels) -> NDArray[np.float32]:
        chunks = [slice(start, start + CHUNK) for start in range(0, len(levels), CHUNK)]
        parts = [self.model.classifier(dequantised(levels.planes(rows), self.steps)).numpy() for rows in chunks]
        return np.concatenate(parts)
