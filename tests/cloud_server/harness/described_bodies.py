"""Frames, batches and archives for schemathesis: the documents say of them only that they are bytes."""

import gzip

import schemathesis
from hypothesis import strategies as st
from schemathesis import SerializationContext

from shared.wire import BATCH_MEDIA_TYPE, DIAGNOSTICS_MEDIA_TYPE, Batch, BatchItem, Kind
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables


def frames() -> st.SearchStrategy[bytes]:
    """Frames that are answered, damaged ones, and no frames at all."""
    good = st.integers(0, 3).map(lambda seed: frame(tables(50), seed))
    cut = st.tuples(good, st.integers(0, 300)).map(lambda pair: pair[0][: pair[1]])
    return good | cut | st.binary(max_size=100)


def batches() -> st.SearchStrategy[bytes]:
    """Batches that are answered, some with damaged frames, and no batches at all."""
    good = st.integers(0, 99).map(lambda first: batch_with_scans(50, range(4), first))
    damaged = BatchItem(9999, 1_700_000_000_000, b"")
    hurt = good.map(lambda batch: Batch(batch.prefix, (*batch.items, damaged)))
    return (good | hurt | hurt.map(companions)).map(Batch.to_bytes) | st.binary(max_size=100)


def companions(batch: Batch) -> Batch:
    """A batch of the same frames as probes, of frames that were never sent."""
    items = tuple(item._replace(sequence=1 << 20 | item.sequence, of=item.sequence) for item in batch.items)
    return Batch(batch.prefix, items, Kind.PROBE)


schemathesis.openapi.media_type("image/jpeg", frames())
schemathesis.openapi.media_type(BATCH_MEDIA_TYPE, batches())
schemathesis.openapi.media_type(
    DIAGNOSTICS_MEDIA_TYPE, st.binary(max_size=1000).map(gzip.compress) | st.binary(max_size=100)
)


@schemathesis.serializer("image/jpeg", BATCH_MEDIA_TYPE, DIAGNOSTICS_MEDIA_TYPE)
def bytes_as_they_are(_context: SerializationContext, value: bytes) -> bytes:
    """How schemathesis sends them."""
    return value
