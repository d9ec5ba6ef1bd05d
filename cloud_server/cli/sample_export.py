"""Labelled frames as a tree of pictures that `dctwire-trainer train` reads as it is.

    DIR/train/<class>/<frame id>.jpg
    DIR/test/<class>/<frame id>.jpg        kept away from training, the same frames for ever
    DIR/waiting/<class>/<frame id>.jpg     of classes with a single frame; nobody reads them
    DIR/details/<class>/<frame id>.jpg     where they are asked for: details, to learn tables from
    DIR/manifest.json                      every frame: where it lies, what is known of it
    DIR/classes.json                       the label that each class's folder stands for

The tree belongs to the export: frames that were labelled anew move, and those that have expired on the server stay.
What a forgotten device left is deleted here, too. Frames of devices in quarantine, and of revoked ones, leave the tree
until they are asked for or the device is let in again; the manifest keeps in mind what they were for.
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

from cloud_server.cli.export_plan import Placed, Split, details_placed, folder_of, placed
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.reference_quality import quality_of
from shared.errors import DctwireError, RefusedError
from shared.wire import Kind

MANIFEST, CLASSES = "manifest.json", "classes.json"
FRAME_ID = r"^[a-z0-9]{1,16}\.[0-9]{1,19}$"
PAGE = 500
_GONE = 404
CAUSES = ("fallback", "resized", "foreign", "expired", "forgotten", "quarantined", "revoked", "measured")
"""Why frames are left out. `measured`: details of frames in `test`."""
Report = Callable[[int, int], None]


class ExportError(DctwireError):
    """The folder is not one that this family's frames may go to."""

    code: ClassVar[str] = "export-folder"


class Entry(BaseModel):
    """One frame of the manifest; `file` from the export's folder on, times in seconds since 1970.

    Args:
        kind: `frame` or `detail`.
        of: a detail's: the frame that it belongs to, whose label it has.
        quality: a detail's: of the ordinary JPEG that it is.
        received_at: when it was answered; None: an older program wrote this.
        reviewed: whether the label came by the operator plane: a device may call its own what it likes.
        audit: whether the label is one of the random audit.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str = Field(pattern=r"^(train|test|waiting|details)/[a-z0-9][a-z0-9 _~-]*/[a-z0-9]+\.[0-9]+\.jpg$")
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
    kind: str = "frame"
    of: str | None = Field(default=None, pattern=FRAME_ID)
    quality: int | None = None
    received_at: float | None = None
    reviewed: bool = False
    audit: bool = False

    @property
    def place(self) -> Placed:
        """Where the plan put it."""
        return Placed(self.frame_id, self.label, Split(self.file.partition("/")[0]))


class Manifest(BaseModel):
    """All frames of an export, and where those were that are set aside: their files are not here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    family: str
    frames: tuple[Entry, ...]
    set_aside: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Usable:
    """Which frames go along beside those that a classifier learns from in any case.

    Args:
        fallback: of tables that a classifier was not trained for.
        resized: of other sizes.
        foreign: of labels that it does not know.
        quarantined, revoked: of devices that are.
        details: details, too.
    """

    fallback: bool = False
    resized: bool = False
    foreign: bool = False
    quarantined: bool = False
    revoked: bool = False
    details: bool = False


class Exporter:
    """Writes one family's labelled frames into one folder."""

    def __init__(self, client: OperatorClient, family: str, directory: Path, usable: Usable, test_share: float) -> None:
        self._client = client
        self._family = family
        self._directory = directory
        self._usable = usable
        self._test_share = test_share
        self._aside: tuple[Entry, ...] = ()
        self._left_out: Counter[str] = Counter(dict.fromkeys(CAUSES, 0))

    def run(self, report: Report) -> dict[str, Any]:
        """Bring the folder up to date; returns what it holds.

        Raises:
            ExportError: the folder holds something else.
            RefusedError, ChannelError: as the server says.
        """
        earlier, aside = self._earlier()
        known = {sample["frame_id"]: sample for sample in self._labelled()}
        # After the list, so that a device which was forgotten meanwhile is among them.
        why = {device["device_id"]: device["why"] for device in set_aside_devices(self._client, self._family)}
        used = {frame_id: sample for frame_id, sample in known.items() if self._is_usable(sample, why)}
        there = {entry.frame_id: entry for entry in (*aside, *earlier)}
        kept = {
            frame_id: entry for frame_id, entry in there.items() if frame_id not in known and self._may_stay(entry, why)
        }
        entries = self._entries(used, kept, there)
        self._move(earlier, entries)
        listed = {entry.frame_id for entry in entries}
        self._aside = tuple(
            entry
            for frame_id, entry in there.items()
            if frame_id not in listed and self._aside_for(frame_id, why) in ("quarantined", "revoked")
        )
        self._write(entries)
        fetched, entries = self._fetch(entries, report)
        return self._done(fetched, entries)

    def _done(self, fetched: int, entries: Sequence[Entry]) -> dict[str, Any]:
        splits = Counter(entry.place.split.value for entry in entries)
        frames = [entry for entry in entries if entry.place.split is not Split.DETAILS]
        return {
            "family": self._family,
            "directory": str(self._directory),
            "frames": len(frames),
            "fetched": fetched,
            "classes": len({entry.label for entry in frames if entry.place.split is not Split.WAITING}),
            "splits": {split.value: splits[split.value] for split in Split},
            "left_out": dict(self._left_out),
        }

    def _earlier(self) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
        """What an earlier export left here, and what it had set aside."""
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / MANIFEST
        if not path.exists():
            if any(not entry.name.startswith(".") for entry in self._directory.iterdir()):
                raise ExportError(
                    f"{self._directory} is not empty and has no {MANIFEST}: export into a folder of its own"
                )
            return (), ()
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ExportError(f"{path} is no manifest of an export: {error.errors()[0]['msg']}") from error
        if manifest.family != self._family:
            raise ExportError(f"{self._directory} holds frames of {manifest.family}, not of {self._family}")
        return manifest.frames, manifest.set_aside

    def _labelled(self) -> Iterator[dict[str, Any]]:
        for is_detail in (False, True) if self._usable.details else (False,):
            wanted: dict[str, Any] = {"family": self._family, "detail": is_detail, "labelled": True, "limit": PAGE}
            for page in _pages(self._client, "/v1/samples", wanted, "before"):
                yield from page["samples"]

    def _is_usable(self, sample: Mapping[str, Any], aside: Mapping[str, str]) -> bool:
        cause = self._aside_for(sample["frame_id"], aside) or _cause(sample, self._usable)
        if cause is not None:
            self._left_out[cause] += 1
        return cause is None

    def _may_stay(self, entry: Entry, aside: Mapping[str, str]) -> bool:
        """Whether a frame stays of which the server has nothing any more."""
        cause = self._aside_for(entry.frame_id, aside)
        if cause is not None:
            self._left_out[cause] += 1
        return cause is None and (entry.kind == Kind.FRAME or self._usable.details)

    def _aside_for(self, frame_id: str, aside: Mapping[str, str]) -> str | None:
        """Why nothing shall be learned from a frame's device; None: it may be."""
        why = aside.get(FrameId.parse(frame_id).device)
        is_asked_for = (why == "quarantined" and self._usable.quarantined) or (
            why == "revoked" and self._usable.revoked
        )
        return None if is_asked_for else why

    def _entries(self, used: Mapping[str, Any], kept: Mapping[str, Entry], there: Mapping[str, Entry]) -> list[Entry]:
        """The new manifest, oldest frame first."""
        facts = {frame_id: entry.model_dump() for frame_id, entry in kept.items()}
        facts |= {frame_id: _facts(sample, there.get(frame_id)) for frame_id, sample in used.items()}
        in_order = sorted(facts, key=lambda frame_id: (facts[frame_id]["stored_at"], frame_id))
        files = self._files(in_order, facts, there)
        return [
            Entry.model_validate({**facts[frame_id], "file": files[frame_id]})
            for frame_id in in_order
            if frame_id in files
        ]

    def _files(
        self, in_order: Sequence[str], facts: Mapping[str, Mapping[str, Any]], there: Mapping[str, Entry]
    ) -> dict[str, str]:
        """Where each frame belongs that goes along, and each detail."""
        frames = placed(
            [(name, facts[name]["label"]) for name in in_order if facts[name]["kind"] == Kind.FRAME],
            {frame_id: entry.place for frame_id, entry in there.items() if entry.kind == Kind.FRAME},
            self._test_share,
        )
        details = [
            (name, facts[name]["of"], facts[name]["label"]) for name in in_order if facts[name]["kind"] == Kind.DETAIL
        ]
        beside = details_placed(details, {place.frame_id: place for place in frames})
        self._left_out["measured"] += len(details) - len(beside)
        return {place.frame_id: place.file for place in (*frames, *beside)}

    def _move(self, earlier: Sequence[Entry], entries: Sequence[Entry]) -> None:
        """Bring the files that are here to their new places; drop those that have none any more."""
        for unfinished in self._directory.rglob(".*.partial"):  # of a device that was forgotten, perhaps
            unfinished.unlink(missing_ok=True)
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
        manifest = Manifest(family=self._family, frames=tuple(entries), set_aside=self._aside)
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
        told = [self._told(entry) for entry in entries if entry.frame_id not in expired]
        if told != entries:
            self._write(told)
        return len(missing) - len(expired), told

    def _told(self, entry: Entry) -> Entry:
        """A detail with its quality, which its file tells."""
        if entry.kind != Kind.DETAIL or entry.quality is not None:
            return entry
        return entry.model_copy(update={"quality": quality_of((self._directory / entry.file).read_bytes())})


def set_aside_devices(client: OperatorClient, family: str) -> Iterator[dict[str, str]]:
    """A family's devices from which nobody shall learn, each with `device_id` and `why`."""
    for page in _pages(client, "/v1/samples/set-aside", {"family": family}, "after"):
        yield from page["devices"]


def _pages(client: OperatorClient, path: str, wanted: dict[str, Any], beyond: str) -> Iterator[Any]:
    while True:
        page = client.get(path, wanted)
        yield page
        if page["next"] is None:
            return
        wanted[beyond] = page["next"]


def _facts(sample: Mapping[str, Any], earlier: Entry | None) -> dict[str, Any]:
    """What the manifest says of a sample, beside where it lies."""
    quality = None if earlier is None else earlier.quality
    return {**sample, "audit": sample["is_audited"], "reviewed": sample["is_reviewed"], "quality": quality}


def _cause(sample: Mapping[str, Any], usable: Usable) -> str | None:
    """Why a frame does not go along. A detail's tables are never a classifier's own."""
    is_frame = sample["kind"] == Kind.FRAME
    if is_frame and sample["match"] == "fallback" and not usable.fallback:
        return "fallback"
    if is_frame and sample["match"] == "resized" and not usable.resized:
        return "resized"
    return "foreign" if sample["is_foreign"] and not usable.foreign else None


def _replace(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(path)
