"""Exports of labelled frames, laid out as the server's command writes them, with frames of the real codec."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_server.cli.export_plan import folder_of
from cloud_server.cli.sample_export import CLASSES, MANIFEST, Entry
from shared.jpeg import Stream
from trainer.data import Split
from trainer.encoding.encodings import of_standard
from trainer.encoding.files import Encoding

STARTED = 1_700_000_000.0
DAY = 86_400.0


@dataclass(eq=False)
class Sent:
    """A frame that a camera sent.

    Args:
        pixels: uint8 (h, w, 3).
        at: in seconds since 1970.
        more: further keys of its line in the manifest.
    """

    pixels: NDArray[np.uint8]
    label: str
    device: str = "camera"
    number: int = 1
    at: float = STARTED
    encoding: Encoding = field(default_factory=lambda: of_standard(50))
    source: str = "human"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def frame_id(self) -> str:
        return f"{self.device}.{self.number}"


def sent_of(
    split: Split, classes: Sequence[str], devices: Sequence[str], encoding: Encoding | None = None, **how: Any
) -> list[Sent]:
    """The pictures of a split, sent by the devices in turn, an hour apart."""
    pixels = split.pixels
    return [
        Sent(
            pixels[place],
            classes[label],
            devices[place % len(devices)],
            place + 1,
            STARTED + 3_600.0 * place,
            encoding or of_standard(50),
            **how,
        )
        for place, label in enumerate(split.labels.tolist())
    ]


def write_export(folder: Path, frames: Sequence[Sent], family: str = "gate") -> Path:
    """Write the tree: pictures, manifest.json and classes.json."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_written(folder, frame) for frame in frames]
    (folder / MANIFEST).write_text(json.dumps({"family": family, "frames": lines}))
    (folder / CLASSES).write_text(json.dumps({folder_of(frame.label): frame.label for frame in frames}))
    return folder


def _written(folder: Path, frame: Sent) -> dict[str, Any]:
    split = "details" if frame.more.get("kind") == "detail" else "train"
    file = f"{split}/{folder_of(frame.label)}/{frame.frame_id}.jpg"
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(frame.encoding.encoder().encode(frame.pixels, Stream.INTERCHANGE))
    entry = Entry.model_construct(
        file=file,
        frame_id=frame.frame_id,
        label=frame.label,
        source=frame.source,
        answer=frame.label,
        confidence=0.9,
        model="gate/1",
        match="exact",
        tables="v1",
        reason="random",
        stored_at=frame.at,
        labelled_at=frame.at + 60,
    )
    return {**entry.model_dump(), **frame.more}
