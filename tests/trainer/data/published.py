"""Small files in CIFAR-100's published format: pickles as Python 2 wrote them, byte strings and old numpy names."""

import hashlib
import io
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

NAMES = [f"class_{number:02d}".encode() for number in range(100)]


def write_published(folder: Path, train: int = 60, test: int = 30) -> dict[str, str]:
    """Write cifar-100-python/{train,test,meta}; returns their MD5."""
    target = folder / "cifar-100-python"
    target.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for name, count in (("train", train), ("test", test)):
        data = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = [int(label) for label in generator.integers(0, 100, count)]
        (target / name).write_bytes(published_pickle({b"data": data, b"fine_labels": labels}))
    (target / "meta").write_bytes(published_pickle({b"fine_label_names": NAMES}))
    return digests(target)


class _Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its str: opcode BINSTRING."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_binstring(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)  # type: ignore[attr-defined]
        self.memoize(value)  # type: ignore[attr-defined]

    dispatch[bytes] = save_binstring


def published_pickle(record: Any) -> bytes:
    """The record as the published files hold theirs."""
    file = io.BytesIO()
    _Python2Pickler(file, protocol=2).dump(record)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def digests(target: Path) -> dict[str, str]:
    """MD5 of each of the three files."""
    return {name: hashlib.md5((target / name).read_bytes()).hexdigest() for name in ("train", "test", "meta")}
