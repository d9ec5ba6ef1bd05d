"""Labelled frames as a tree of pictures that `dctwire-trainer train` reads as it is.

    DIR/train/<class>/<frame id>.jpg
    DIR/test/<class>/<frame id>.jpg        kept away from training, the same frames for ever
    DIR/waiting/<class>/<frame id>.jpg     of classes with a single frame; nobody reads them
    DIR/manifest.json                      every frame: where it lies, what is known of it
    DIR/classes.json                       the label that each class's folder stands for

The tree belongs to the export: frames that were labelled anew move, and those that the server has forgotten stay.
Files are moved before the manifest says so and fetched after it does, so an interrupted export is finished by the same
command again.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_server.cli.export_plan import Placed, Split, folder_of, placed
from cloud_server.cli.operator_client import OperatorClient
from shared.errors import DctwireError, RefusedError

MANIFEST, CLASSES = "manifest.json", "classes.json"
FRAME_ID = r"^[a-z0-9]{1,16}\.[0-9]{1,19}$"
PAGE = 500
_GONE = 404
Report = Callable[[int, int], None]


class ExportError(DctwireError):
    """The folder is not one that this family's frames may go to."""

    code: ClassVar[str] = "export-folder"


class Entry(BaseModel):
    """One frame of the manifest; `file` from the export's folder on, times in seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str = Field(pattern=r"^(train|test|waiting)/[a-z0-9][a-z0-9 _~-]*/[a-z0-9]+\.[0-9]+\.jpg$")
    frame_id: str = Field(pattern=FRAME_ID)
    label: str
    source: str
    answer: str
    confidence: float
    model: str
    match: str
    tables: str
    reason: str
    stored_at: float
    labelled_at: float

    @property
    def place(self) -> Placed:
        """Where the plan put it."""
        return Placed(self.frame_id, self.label, Split(self.file.partition("/")[0]))


class Manifest(BaseModel):
    """All frames of an export."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    family: str
    frames: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Usable:
    """Which frames go along: of tables that a classifier was not trained for, of other sizes, of labels it has not."""

    fallback: bool = False
    resized: bool = False
    foreign: bool = False


class Exporter:
    """Writes one family's labelled frames into one folder."""

    def __init__(self, client: OperatorClient, family: str, directory: Path, usable: Usable, test_share: float) -> None:
        self._client = client
        self._family = family
        self._directory = directory
        self._usable = usable
        self._test_share = test_share
        self._left_out: Counter[str] = Counter(fallback=0, resized=0, foreign=0, expired=0)

    def run(self, report: Report) -> dict[str, Any]:
        """Bring the folder up to date; returns what it holds.

        Raises:
            ExportError: the folder holds something else.
            RefusedError, ChannelError: as the server says.
        """
        earlier = self._earlier()
        known = {sample["frame_id"]: sample for sample in self._labelled()}
        used = {frame_id: sample for frame_id, sample in known.items() if self._is_usable(sample)}
        kept = {entry.frame_id: entry for entry in earlier if entry.frame_id not in known}
        entries = self._entries(used, kept, earlier)
        self._move(earlier, entries)
        self._write(entries)
        fetched, entries = self._fetch(entries, report)
        splits = Counter(entry.place.split.value for entry in entries)
        return {
            "family": self._family,
            "directory": str(self._directory),
            "frames": len(entries),
            "fetched": fetched,
            "classes": len({entry.label for entry in entries if entry.place.split is not Split.WAITING}),
            "splits": {split.value: splits[split.value] for split in Split},
            "left_out": dict(self._left_out),
        }

    def _earlier(self) -> tuple[Entry, ...]:
        """What an earlier export left here."""
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / MANIFEST
        if not path.exists():
            if any(not entry.name.startswith(".") for entry in self._directory.iterdir()):
                raise ExportError(
                    f"{self._directory} is not empty and has no {MANIFEST}: export into a folder of its own"
                )
            return ()
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ExportError(f"{path} is no manifest of an export: {error.errors()[0]['msg']}") from error
        if manifest.family != self._family:
            raise ExportError(f"{self._directory} holds frames of {manifest.family}, not of {self._family}")
        return manifest.frames

    def _labelled(self) -> Iterator[dict[str, Any]]:
        wanted: dict[str, Any] = {"family": self._family, "labelled": True, "limit": PAGE}
        while True:
            page = self._client.get("/v1/samples", wanted)
            yield from page["samples"]
            if page["next"] is None:
                return
            wanted["before"] = page["next"]

    def _is_usable(self, sample: Mapping[str, Any]) -> bool:
        cause = _cause(sample, self._usable)
        if cause is not None:
            self._left_out[cause] += 1
        return cause is None

    def _entries(self, used: Mapping[str, Any], kept: Mapping[str, Entry], earlier: Sequence[Entry]) -> list[Entry]:
        """The new manifest, oldest frame first."""
        stored = {frame_id: sample["stored_at"] for frame_id, sample in used.items()}
        stored |= {frame_id: entry.stored_at for frame_id, entry in kept.items()}
        labels = {frame_id: sample["label"] for frame_id, sample in used.items()}
        labels |= {frame_id: entry.label for frame_id, entry in kept.items()}
        in_order = sorted(stored, key=lambda frame_id: (stored[frame_id], frame_id))
        places = placed(
            [(frame_id, labels[frame_id]) for frame_id in in_order],
            {entry.frame_id: entry.place for entry in earlier},
            self._test_share,
        )
        files = {place.frame_id: place.file for place in places}
        facts = {**{frame_id: entry.model_dump() for frame_id, entry in kept.items()}, **used}
        return [Entry.model_validate({**facts[frame_id], "file": files[frame_id]}) for frame_id in in_order]

    def _move(self, earlier: Sequence[Entry], entries: Sequence[Entry]) -> None:
        """Bring the files that are here to their new places; drop those that have none any more."""
        files = {entry.frame_id: entry.file for entry in entries}
        for entry in earlier:
            here, there = self._directory / entry.file, files.get(entry.frame_id)
            if there is None:
                here.unlink(missing_ok=True)
            elif there != entry.file and here.exists():
                (self._directory / there).parent.mkdir(parents=True, exist_ok=True)
                here.replace(self._directory / there)
        for folder in {(self._directory / entry.file).parent for entry in earlier}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()  # or the trainer takes it for a class without pictures

    def _write(self, entries: Sequence[Entry]) -> None:
        manifest = Manifest(family=self._family, frames=tuple(entries))
        _replace(self._directory / MANIFEST, manifest.model_dump_json(indent=1))
        labels = {folder_of(entry.label): entry.label for entry in entries}
        _replace(self._directory / CLASSES, json.dumps(labels, ensure_ascii=False, indent=1))

    def _fetch(self, entries: list[Entry], report: Report) -> tuple[int, list[Entry]]:
        """Fetch the files that are not here yet; frames that expired meanwhile leave the manifest again."""
        missing = [entry for entry in entries if not (self._directory / entry.file).exists()]
        expired = set()
        report(0, len(missing))
        for number, entry in enumerate(missing, 1):
            try:
                data = self._client.get_bytes(f"/v1/samples/{entry.frame_id}/jpeg")
            except RefusedError as error:
                if error.status != _GONE:
                    raise
                expired.add(entry.frame_id)
            else:
                _replace(self._directory / entry.file, data)
            report(number, len(missing))
        if expired:
            self._left_out["expired"] += len(expired)
            entries = [entry for entry in entries if entry.frame_id not in expired]
            self._write(entries)
        return len(missing) - len(expired), entries


def _cause(sample: Mapping[str, Any], usable: Usable) -> str | None:
    """Why a frame does not go along."""
    if sample["match"] == "fallback" and not usable.fallback:
        return "fallback"
    if sample["match"] == "resized" and not usable.resized:
        return "resized"
    return "foreign" if sample["is_foreign"] and not usable.foreign else None


def _replace(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(path)
