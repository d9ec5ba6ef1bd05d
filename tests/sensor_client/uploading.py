"""Frames for uploaders to send, and what the fixtures that make uploaders are like."""

from collections import Counter
from typing import Any, Protocol

import numpy as np
from PIL import Image

from sensor_client.spool import Spool
from sensor_client.uploader import Uploader
from shared.jpeg import Encoder, Stream, TableSet
from tests.sensor_client.device_plane import Answer

TABLES = TableSet.standard(50)
OTHER_TABLES = TableSet.standard(80)
ENCODERS = {tables.tables_id: Encoder(tables) for tables in (TABLES, OTHER_TABLES)}
PAGE_413 = Answer(413, {"Content-Type": "text/html"}, b"<h1>Too large</h1>")


def jpeg(seed: int, tables: TableSet = TABLES, stream: Stream = Stream.ABBREVIATED) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))
    return ENCODERS[tables.tables_id].encode(pixels, stream)


def fill(
    spool: Spool, count: int, tables: TableSet = TABLES, label: str | None = None, target: str | None = None
) -> list[int]:
    spool.keep_tables(tables.tables_id, tables.to_stream())
    return [
        spool.append(jpeg(seed, tables), 1000 + seed, tables_id=tables.tables_id, target=target, label=label)
        for seed in range(count)
    ]


class Witness:
    """Notes what is told of bundles."""

    def __init__(self) -> None:
        self.proofs: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()

    def proved(self, target: str, frames: int) -> None:
        self.proofs[target] += frames

    def refused(self, target: str, frames: int) -> None:
        self.refusals[target] += frames


class MakeUploader(Protocol):
    def __call__(self, other_spool: Spool | None = None, **settings: Any) -> Uploader: ...


class Drained(Protocol):
    def __call__(self, **settings: Any) -> None: ...
