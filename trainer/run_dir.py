"""A training run on disk: what was asked, one JSON line an epoch, a checkpoint, and the finished tables and net."""

import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import PeerError
from shared.jpeg import TableSet
from trainer.errors import RunError
from trainer.goals import Goal
from trainer.recipe import Recipe

_Model = TypeVar("_Model", bound=BaseModel)


class Asked(BaseModel):
    """What makes a run this run and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    goal: Goal
    data: str
    start: str | None = None


class Summary(BaseModel):
    """A finished run's figures on held-out validation frames.

    Args:
        data: the data set's name.
        tables: what the tables are, in words.
        scan_bytes: mean entropy-coded bytes a frame, Huffman tables as exported.
        seconds: wall time of training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    tables: str
    validation_accuracy: float
    scan_bytes: float
    n: int
    epochs: int
    parameters: int
    seconds: float


@dataclass(frozen=True)
class Finished:
    """What a finished run left behind."""

    asked: Asked
    summary: Summary
    tables: TableSet
    net_state: dict[str, Any]


class RunDir:
    """One run's folder; every file in it appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, asked: Asked) -> None:
        """Create the folder, or recognise the run in it.

        Raises:
            RunError: another run lives there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "asked.json"
        if not path.exists():
            _write_text(path, asked.model_dump_json(indent=2))
        elif self.asked() != asked:
            raise RunError(f"{self.folder} holds another run (see asked.json): choose another --out or remove it")

    def asked(self) -> Asked:
        """What this run was asked for."""
        return _read_model(Asked, self.folder / "asked.json")

    def log(self, row: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint."""
        _write(self.folder / "checkpoint.pt", lambda file: torch.save(state, file))

    def checkpoint(self) -> dict[str, Any] | None:
        """The last checkpoint, or None where there is none yet.

        Raises:
            RunError: it is damaged.
        """
        path = self.folder / "checkpoint.pt"
        return _load_tensors(path) if path.exists() else None

    def finish(self, summary: Summary, tables: TableSet, net_state: dict[str, Any]) -> None:
        """Write the results; the summary comes last and marks the run as finished."""
        _write(self.folder / "net.pt", lambda file: torch.save(net_state, file))
        _write(self.folder / "tables.jpg", lambda file: file.write(tables.to_stream()))
        _write_text(self.folder / "summary.json", summary.model_dump_json(indent=2))

    @property
    def is_finished(self) -> bool:
        """Whether training came to its end."""
        return (self.folder / "summary.json").exists()

    def finished(self) -> Finished:
        """The results.

        Raises:
            RunError: the run is missing, unfinished or damaged.
        """
        if not self.is_finished:
            raise RunError(f"{self.folder} holds no finished run: train it first (the same command resumes one)")
        try:
            tables = TableSet.from_stream((self.folder / "tables.jpg").read_bytes())
        except (OSError, PeerError) as error:
            raise RunError(f"{self.folder / 'tables.jpg'}: {error}") from error
        summary = _read_model(Summary, self.folder / "summary.json")
        return Finished(self.asked(), summary, tables, _load_tensors(self.folder / "net.pt"))


def _read_model(model: type[_Model], path: Path) -> _Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error


def _load_tensors(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is missing or damaged: {error}") from error
    if not isinstance(state, dict):
        raise RunError(f"{path} holds no state")
    return state


def _write_text(path: Path, text: str) -> None:
    _write(path, lambda file: file.write(text.encode() + b"\n"))


def _write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
