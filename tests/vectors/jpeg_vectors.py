"""Makes the golden streams of the codec; `python -m tests.vectors.jpeg_vectors` writes them anew."""

import hashlib
from pathlib import Path

import numpy as np

from shared.jpeg import Encoder, HuffmanTable, Sampling, Stream, SymbolCounts, TableSet

FOLDER = Path(__file__).parent / "jpeg"


def picture() -> np.ndarray:
    """uint8 (40, 56, 3): ramps, a disc and a little hashed noise, so that no library decides the samples."""
    rows, columns = np.mgrid[0:40, 0:56]
    disc = 90 * (np.hypot(rows - 18, columns - 30) < 12)
    ramps = np.stack([4 * columns, 6 * rows, 255 - 2 * rows - 2 * columns], axis=-1)
    noise = np.frombuffer(hashlib.shake_256(b"dctwire").digest(40 * 56 * 3), np.uint8).reshape(40, 56, 3) % 16
    return np.asarray(np.clip(ramps + disc[..., None] + noise, 0, 255), np.uint8)


def fitted() -> tuple[HuffmanTable, ...]:
    """Huffman tables for that picture, padded to whole MCUs."""
    whole = np.pad(picture(), ((0, 8), (0, 8), (0, 0)), "edge")
    counts = SymbolCounts()
    counts.add(*Encoder(TableSet.standard(75)).quantise_batch(whole[None]))
    return counts.tables()


def vectors() -> dict[str, bytes]:
    """File name to bytes."""
    standard = TableSet.standard(75)
    learned = TableSet.standard(12.5).with_quant([bytes(range(1, 65)), b"\xff" * 64, bytes(range(64, 0, -1))])
    learned = learned.with_huffman(fitted())
    grey = TableSet.standard(50, Sampling.GREY)
    return {
        "standard-75.tables": standard.to_stream(),
        "standard-75.jpg": Encoder(standard).encode(picture(), Stream.INTERCHANGE),
        "standard-75.abbreviated": Encoder(standard).encode(picture()),
        "standard-75.scan": Encoder(standard).encode(picture(), Stream.SCAN),
        "learned.tables": learned.to_stream(),
        "learned.abbreviated": Encoder(learned).encode(picture()),
        "grey-50.tables": grey.to_stream(),
        "grey-50.jpg": Encoder(grey).encode(picture()[..., 1], Stream.INTERCHANGE),
    }


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in vectors().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
