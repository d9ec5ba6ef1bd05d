"""A training run on disk: what was asked, one JSON line an epoch, a checkpoint, and the finished encoding and net."""

import fcntl
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.encoding.files import Encoding, read_encoding, write_encoding
from trainer.errors import RunError
from trainer.recipes.goals import Goal
from trainer.recipes.recipe import AnyRecipe
from trainer.whole_file import Sync, append_line, write_whole

ASKED_NAME, RECIPE_NAME = "asked.json", "recipe.toml"
CHECKPOINT_FORMAT = 1  # to be raised when a state no longer means what it meant

_Model = TypeVar("_Model", bound=BaseModel)


class Asked(BaseModel):
    """What makes a run this run and no other.

    Args:
        start: folder of the run whose net it starts from, if any.
        uploads: digest of the frames of the field that it learns from beside its data set, if any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: AnyRecipe
    goal: Goal
    data: str
    start: str | None = None
    uploads: str | None = None


class Summary(BaseModel):
    """A finished run's figures on held-out validation frames.

    Args:
        data: the data set's name.
        tables: what the tables are, in words.
        scan_bytes: mean entropy-coded bytes a frame, Huffman tables as exported.
        seconds: wall time of the epochs, however often the run was resumed.
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
    encoding: Encoding
    net_state: dict[str, Any]


class RunDir:
    """One run's folder; every file in it appears whole or not at all, and is on the disk when its method returns.

    Args:
        sync: brings what was written to the disk.
    """

    def __init__(self, folder: Path, sync: Sync = os.fsync) -> None:
        self.folder = folder
        self._sync = sync

    def refuse_another(self, asked: Asked) -> None:
        """Refuse a folder that holds another run, before any work is done for this one.

        Raises:
            RunError: another run lives here.
        """
        if (self.folder / ASKED_NAME).exists() and (there := self.asked()) != asked:
            differences = ", ".join(_differences(there.model_dump(), asked.model_dump()))
            raise RunError(f"{self.folder} holds another run ({differences}): choose another --out or remove it")

    @contextmanager
    def at_work(self, asked: Asked) -> Iterator[None]:
        """Create the folder, or recognise the run in it; for as long as the context lasts it is this training's alone.

        Raises:
            RunError: another run lives there, or another training is at work in it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder):
            self.refuse_another(asked)
            _write_text(self.folder / ASKED_NAME, asked.model_dump_json(indent=2))
            yield

    def keep_recipe(self, text: str) -> None:
        """Keep the recipe as a person may edit it; what the run goes by is asked.json."""
        _write_text(self.folder / RECIPE_NAME, text.rstrip("\n"))

    def asked(self) -> Asked:
        """What this run was asked for."""
        return _read_model(Asked, self.folder / ASKED_NAME)

    def note_provenance(self, row: dict[str, Any]) -> None:
        """Append one line to provenance.jsonl: each start of the run, the first one and every resumption."""
        append_line(self.folder / "provenance.jsonl", json.dumps(row), self._sync)

    def log(self, row: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl; on disk when this returns."""
        append_line(self.folder / "metrics.jsonl", json.dumps(row), self._sync)

    def logged(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl.

        Raises:
            RunError: it is damaged.
        """
        path = self.folder / "metrics.jsonl"
        try:
            return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}") from error

    def forget_epochs_after(self, epoch: int) -> None:
        """Drop what was logged after the checkpoint of this epoch: it is about to run again."""
        path = self.folder / "metrics.jsonl"
        if path.exists():
            kept = path.read_bytes().splitlines(keepends=True)[:epoch]
            write_whole(path, lambda file: file.writelines(kept), self._sync)

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint.

        Raises:
            RunError: the disk is full or broken; the checkpoint before this one stays.
        """
        _save_tensors({"format": CHECKPOINT_FORMAT, "state": state}, self.folder / "checkpoint.pt", self._sync)

    def checkpoint(self) -> dict[str, Any] | None:
        """The last checkpoint, or None where there is none yet.

        Raises:
            RunError: it is damaged, or another version of the trainer wrote it.
        """
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return None
        numbered = _load_tensors(path)
        if numbered.get("format") != CHECKPOINT_FORMAT or not isinstance(numbered.get("state"), dict):
            raise RunError(
                f"{path} was written by another version of the trainer: finish the run with that one, "
                "or train into another --out"
            )
        state: dict[str, Any] = numbered["state"]
        return state

    def finish(self, summary: Summary, encoding: Encoding, net_state: dict[str, Any]) -> None:
        """Write the results; the summary comes last and marks the run as finished."""
        _save_tensors(net_state, self.folder / "net.pt", self._sync)
        write_encoding(encoding, self.folder)
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
        encoding = read_encoding(self.folder)
        summary = _read_model(Summary, self.folder / "summary.json")
        return Finished(self.asked(), summary, encoding, _load_tensors(self.folder / "net.pt"))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold flock(2) on a folder; the system releases it where the process is killed."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RunError(f"another training is at work in {folder}") from error
    finally:
        os.close(handle)


def _differences(there: dict[str, Any], asked: dict[str, Any], place: str = "") -> Iterator[str]:
    for key in there.keys() | asked.keys():
        old, new = there.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{place}{key}.")
        elif old != new:
            yield f"{place}{key} is {old} there, {new} here"


def _read_model(model: type[_Model], path: Path) -> _Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error


def _save_tensors(state: dict[str, Any], path: Path, sync: Sync) -> None:
    try:
        write_whole(path, lambda file: torch.save(state, file), sync)
    except (OSError, RuntimeError) as error:  # torch wraps what the file raised
        reason = str(error.__context__ or error).splitlines()[0]
        raise RunError(
            f"{path} cannot be written ({reason}); what was there before stays, and the same command resumes from the "
            "last checkpoint"
        ) from error


def _load_tensors(path: Path) -> dict[str, Any]:
    """Tensors that torch saved, on the CPU wherever they were; it does not look at their checksums itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        state = torch.load(path, map_location="cpu", weights_only=True) if damaged is None else None
    except Exception as error:  # a damaged archive may fail in any way
        raise RunError(f"{path} is missing or damaged: {error}") from error
    if damaged is not None:
        raise RunError(f"{path} is damaged: the checksum of {damaged} is wrong")
    if not isinstance(state, dict):
        raise RunError(f"{path} holds no state")
    return state


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda file: file.write(text.encode() + b"\n"))
