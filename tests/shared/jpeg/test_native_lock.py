"""Other threads run while the codec works: each long call lets go of the interpreter lock."""

import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from shared.jpeg import Decoder, Encoder, Resize, Stream, SymbolCounts, TableSet, Transcoder
from tests.shared.jpeg import pictures

TABLES = TableSet.standard(95)
ENCODER, DECODER = Encoder(TABLES), Decoder(TABLES)
PICTURE = pictures.noise(1536, 1536, 1)
FRAME = ENCODER.encode(PICTURE, Stream.INTERCHANGE)
Y, C = ENCODER.quantise_batch(PICTURE[np.newaxis])
LEVELS = DECODER.decode(FRAME)
PLANES = np.empty_like(Y), np.empty_like(C)
BOUND = DECODER.into(*PLANES)

CALLS: dict[str, Callable[[], object]] = {
    "decode": lambda: DECODER.decode(FRAME),
    "decode_batch": lambda: DECODER.decode_batch([FRAME], *PLANES),
    "bound decode": lambda: BOUND.decode(FRAME),
    "encode": lambda: ENCODER.encode(PICTURE),
    "encode_batch": lambda: ENCODER.encode_batch(PICTURE[np.newaxis]),
    "encode_coefficients": lambda: ENCODER.encode_coefficients(LEVELS),
    "quantise_batch": lambda: ENCODER.quantise_batch(PICTURE[np.newaxis]),
    "scan_bits_batch": lambda: ENCODER.scan_bits_batch(Y, C),
    "count symbols": lambda: SymbolCounts().add(Y, C),
    "transcode": lambda: Transcoder(TABLES).transcode(FRAME),
    "transcode to levels": lambda: Transcoder(TABLES, resize=Resize(512, 512)).levels(FRAME),
}


@pytest.fixture(autouse=True)
def _threads_change_only_where_the_lock_is_let_go() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(100)
    yield
    sys.setswitchinterval(usual)


def ticks_during(call: Callable[[], object]) -> int:
    """How often another thread ran while the call was under way."""
    ticks, found = [0], []

    def work() -> None:
        before = ticks[0]
        call()
        found.append(ticks[0] - before)

    worker = threading.Thread(target=work)
    worker.start()
    while not found:
        ticks[0] += 1
        time.sleep(0)  # lets go of the lock
    worker.join()
    return found[0]


@pytest.mark.parametrize("name", CALLS)
def test_another_thread_runs_while_a_call_is_under_way(name: str) -> None:
    # On a busy machine the other thread may come too late for once.
    assert any(ticks_during(CALLS[name]) for _ in range(20))


def test_none_does_while_python_counts() -> None:
    assert ticks_during(lambda: sum(range(100_000))) == 0
