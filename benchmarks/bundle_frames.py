"""Real frames of a bundle, ready to be posted: with what its classifier says of each, worked out beforehand."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import codec_pictures
from benchmarks.load import FIRST_NUMBER, Numbering, Request, varint
from shared.bundle import INT8_NAME, LABELS_NAME, MODEL_NAME, Bundle
from shared.jpeg import EOI, Decoder, Stream
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem
from trainer.export.classifier import OnnxClassifier

CLEAR_MARGIN = 0.01  # of the logits' spread, between the two likeliest labels: batches of other sizes round differently


class BundleFrames:
    """Frames whose label is beyond doubt, whether the server takes the classifier in float32 or its eight-bit twin.

    `y` and `c` are their levels, as both take them.
    """

    def __init__(self, folder: Path) -> None:
        self.bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
        self.classifier = OnnxClassifier((folder / MODEL_NAME).read_bytes())
        side = self.bundle.input.width
        encode = partial(self.bundle.encoding.encoder().encode_batch, codec_pictures.pictures(side))
        streams = encode(Stream.ABBREVIATED)
        y, c = _decoded(self.bundle, streams)
        said = [self.classifier.run({"y": y, "c": c})]
        if (folder / INT8_NAME).exists():
            said.append(OnnxClassifier((folder / INT8_NAME).read_bytes()).run({"y": y, "c": c}))
        clear = clear_rows(*said)
        names = json.loads((folder / LABELS_NAME).read_text())
        self.y, self.c = y[clear], c[clear]
        self.labels = [str(names[index]) for index in said[0][clear].argmax(axis=1)]
        self.streams = [streams[index] for index in clear]
        scans = encode(Stream.SCAN)
        self.scans = [scans[index] for index in clear]

    def run_bare(self, size: int, start: int) -> None:
        """Classify `size` of the decoded frames."""
        self.classifier.run({"y": self.y[start : start + size], "c": self.c[start : start + size]})

    def singles(self, token: str) -> tuple[Request, ...]:
        """A request a frame, as the device that holds this token posts it."""
        return tuple(
            Request(
                before=_head("/v1/frames", token, "image/jpeg", len(stream)) + b"DW-Sequence: ",
                after=b"\r\n\r\n" + stream,
                numbering=Numbering.DECIMAL,
                labels=(label,),
            )
            for stream, label in zip(self.streams, self.labels, strict=True)
        )

    def batches(self, token: str, size: int) -> tuple[Request, ...]:
        """The same in batches of `size`; what is left over at the end stays unused."""
        return tuple(self._batch(token, slice(at, at + size)) for at in range(0, len(self.scans) - size + 1, size))

    def _batch(self, token: str, rows: slice) -> Request:
        scans, labels = self.scans[rows], self.labels[rows]
        prefix = self.streams[rows][0].removesuffix(scans[0] + EOI)
        items = (BatchItem(FIRST_NUMBER + n, 1_700_000_000_000 + 40 * n, scan) for n, scan in enumerate(scans))
        body = Batch(prefix, tuple(items)).to_bytes()
        before, _, after = body.partition(varint(FIRST_NUMBER))
        return Request(
            before=_head("/v1/frames:batch", token, BATCH_MEDIA_TYPE, len(body)) + b"\r\n" + before,
            after=after,
            numbering=Numbering.VARINT,
            frames=len(scans),
            labels=tuple(labels),
        )


def clear_rows(*said: NDArray[np.float32]) -> NDArray[np.intp]:
    """Pictures of which all classifiers say the same, with no near tie.

    Args:
        said: logits (n, classes) of one classifier each.
    """
    clear = np.ones(len(said[0]), bool)
    for logits in said:
        second, first = np.sort(logits, axis=1)[:, -2:].T
        clear &= first - second > CLEAR_MARGIN * logits.std()
        clear &= logits.argmax(axis=1) == said[0].argmax(axis=1)
    return np.flatnonzero(clear)


def _head(path: str, token: str, media_type: str, length: int) -> bytes:
    """All of a request's head but an empty line."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: dctwire",
        f"Authorization: Bearer {token}",
        f"Content-Type: {media_type}",
        f"Content-Length: {length}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


def _decoded(bundle: Bundle, streams: list[bytes]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    height, width = bundle.input.height, bundle.input.width
    y = np.empty((len(streams), 64, height // 8, width // 8), np.int16)
    c = np.empty((len(streams), 128, height // 16, width // 16), np.int16)
    errors = Decoder(bundle.tables).decode_batch(streams, y, c)
    assert not any(errors)
    return y, c
