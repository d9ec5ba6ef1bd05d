"""Frames that share a batch: their common prefix is sent once."""

from collections.abc import Sequence

from sensor_client.spool import SpooledFrame
from shared.errors import PeerError
from shared.jpeg import EOI, inspect
from shared.wire import BATCH_MAX_PREFIX_BYTES, Batch, BatchItem

ENOUGH_BYTES = 1024 * 1024
"""A batch of so many bytes is whole: it takes no further frame."""


def leading_run(frames: Sequence[SpooledFrame]) -> Sequence[SpooledFrame]:
    """The first frames that can share a batch: those of the first one's kind and bundle, with its prefix.

    A reply to a batch may only count how its frames were answered, so they are to speak for one bundle. A frame that is
    too damaged to have a prefix goes alone, and the server says what becomes of it.
    """
    prefix = _prefix_or_none(frames[0].body) if len(frames) > 1 else None
    if prefix is None:
        return frames[:1]
    for index, frame in enumerate(frames):
        if (frame.kind, frame.target) != (frames[0].kind, frames[0].target) or _prefix_or_none(frame.body) != prefix:
            return frames[:index]
    return frames


def within(frames: Sequence[SpooledFrame], room_bytes: int) -> Sequence[SpooledFrame]:
    """The first frames whose bodies have so many bytes at most; the first one in any case."""
    total_bytes = 0
    for index, frame in enumerate(frames):
        total_bytes += len(frame.body)
        if total_bytes > room_bytes and index:
            return frames[:index]
    return frames


def batch_of(frames: Sequence[SpooledFrame]) -> Batch:
    """A batch of frames of one kind that can share one.

    Raises:
        BatchError, PeerError: they cannot.
    """
    prefix = _prefix(frames[0].body)
    items = (
        BatchItem(frame.sequence, frame.captured_at_ms, frame.body[len(prefix) : -len(EOI)], frame.companion_of)
        for frame in frames
    )
    return Batch(prefix, tuple(items), frames[0].kind)


def _prefix_or_none(body: bytes) -> bytes | None:
    try:
        prefix = _prefix(body)
    except PeerError:
        return None
    return prefix if body.endswith(EOI) and len(prefix) <= BATCH_MAX_PREFIX_BYTES else None


def _prefix(body: bytes) -> bytes:
    return body[: len(body) - len(EOI) - inspect(body).scan_bytes]
