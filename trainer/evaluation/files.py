"""Evaluations on disk, in the run's folder: the figures as JSON, and what became of each frame beside them."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from trainer.data import SplitName
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluated, Evaluation, FrameOutcomes
from trainer.whole_file import write_whole


def write_evaluation(folder: Path, evaluated: Evaluated) -> None:
    """Keep an evaluation as `evaluation-<split>.json`, its frames beside it as `.npz`."""
    evaluation, outcomes = evaluated.evaluation, evaluated.outcomes
    path = evaluation_path(folder, evaluation.split)
    arrays: dict[str, Any] = {
        "right": np.packbits(outcomes.right),
        "right_top5": np.packbits(outcomes.right_top5),
        "scan_bytes": outcomes.scan_bytes.astype(np.uint32),
    }
    if outcomes.likeliest is not None:
        arrays["likeliest"] = outcomes.likeliest.astype(np.uint16)
    write_whole(path.with_suffix(".npz"), lambda file: np.savez_compressed(file, **arrays))
    write_whole(path, lambda file: file.write(evaluation.model_dump_json(indent=2).encode() + b"\n"))


def read_evaluation(folder: Path, split: SplitName) -> Evaluated:
    """Read the evaluation that `write_evaluation` wrote.

    Raises:
        RunError: a file is missing or damaged, or the two belong to different evaluations.
    """
    path = evaluation_path(folder, split)
    try:
        evaluation = Evaluation.model_validate_json(path.read_bytes())
        with path.with_suffix(".npz").open("rb") as file, np.load(file) as arrays:
            right, right_top5 = (
                np.unpackbits(arrays[name], count=evaluation.n).astype(bool) for name in ("right", "right_top5")
            )
            likeliest = arrays["likeliest"].astype(np.int64) if "likeliest" in arrays else None
            outcomes = FrameOutcomes(right, right_top5, arrays["scan_bytes"].astype(np.int64), likeliest)
    except (OSError, ValueError, KeyError, EOFError, ValidationError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} and its .npz hold no evaluation (`evaluate` writes them): {error}") from error
    means = (outcomes.right.mean(), outcomes.scan_bytes.mean(), len(outcomes.scan_bytes))
    if not np.allclose(means, (evaluation.accuracy, evaluation.scan.mean, evaluation.n)):
        raise RunError(f"{path} and its .npz belong to different evaluations: evaluate again")
    return Evaluated(evaluation, outcomes)


def evaluation_path(folder: Path, split: str) -> Path:
    """Where a run keeps the figures of a split."""
    return folder / f"evaluation-{split}.json"
