"""Hostile frames: whatever pretends to be a JPEG is answered with a problem, cheaply, beside untroubled neighbours."""

import json
import os
from random import Random

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.wire import BATCH_MEDIA_TYPE, PROBLEM_MEDIA_TYPE, Batch, BatchItem, Retry
from tests.attacks.harness import AttackHarness
from tests.cloud_server.harness.frames import batch_with_scans
from tests.fuzz.jpeg_mutations import Corpus

MIB = 1 << 20
EXAMPLES = int(os.environ.get("DCTWIRE_ATTACKS", "100"))
CPU_A_FRAME_SECONDS = 0.02
"""What a frame of this size may cost at most on a slow machine: a good one costs a tenth."""


def segment(jpeg: bytes, marker: int) -> int:
    """Where the payload of the first segment of this kind begins."""
    return jpeg.index(bytes((0xFF, marker))) + 4


def changed(jpeg: bytes, at: int, data: bytes) -> bytes:
    """The stream with other bytes at a place."""
    return jpeg[:at] + data + jpeg[at + len(data) :]


def oversubscribed(jpeg: bytes) -> bytes:
    """A Huffman table with more short codes than there are."""
    return changed(jpeg, segment(jpeg, 0xC4) + 1, b"\xff" * 16)


def zero_steps(jpeg: bytes) -> bytes:
    """Quantisation steps of zero."""
    return changed(jpeg, segment(jpeg, 0xDB) + 1, bytes(64))


def huge(jpeg: bytes) -> bytes:
    """65535 x 65535 pixels, it says."""
    return changed(jpeg, segment(jpeg, 0xC0) + 1, b"\xff\xff\xff\xff")


def many_scans(jpeg: bytes) -> bytes:
    """Its scan a thousand times over."""
    at = jpeg.index(b"\xff\xda")
    return jpeg[:at] + jpeg[at:-2] * 1000 + b"\xff\xd9"


def many_restarts(jpeg: bytes) -> bytes:
    """A restart after each block, as it says, and a hundred thousand restart markers."""
    at = jpeg.index(b"\xff\xda")
    return jpeg[:at] + b"\xff\xdd\0\4\0\1" + jpeg[at:-2] + b"\xff\xd0\xff\xd1" * 50_000 + b"\xff\xd9"


def many_segments(jpeg: bytes) -> bytes:
    """Comments without end."""
    return jpeg[:2] + b"\xff\xfe\0\2" * 200_000 + jpeg[2:]


def many_tables(jpeg: bytes) -> bytes:
    """The same tables again and again."""
    at = jpeg.index(b"\xff\xc4")
    end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return jpeg[:at] + jpeg[at:end] * 4000 + jpeg[end:]


def stuffed(jpeg: bytes) -> bytes:
    """A megabyte of fill bytes before its end."""
    return jpeg[:-2] + b"\xff" * 900_000 + jpeg[-2:]


HOSTILE = (oversubscribed, zero_steps, huge, many_scans, many_restarts, many_segments, many_tables, stuffed)


def is_refused(answer: httpx.Response) -> bool:
    """Whether it is a problem, of the client's making, that need not be tried again."""
    problem = answer.json()
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert 400 <= answer.status_code == problem["status"] < 500
    return bool(problem["retry"] == Retry.NO)


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_frame_that_is_built_to_hurt_is_refused(harness: AttackHarness, attack: object) -> None:
    assert callable(attack)
    data = attack(harness.interchange)
    with harness.unharmed(cpu_seconds=1, rss_bytes=32 * MIB):
        for _ in range(5):
            answer = harness.attacker.post(data)
            assert answer.status_code == 200 if attack is stuffed else is_refused(answer)


def test_damaged_frames_by_the_hundred_are_answered_or_refused(harness: AttackHarness) -> None:
    corpus = Corpus([harness.frame, harness.interchange])
    with harness.unharmed(cpu_seconds=EXAMPLES * CPU_A_FRAME_SECONDS, rss_bytes=32 * MIB):

        @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(seed=st.integers(0, 2**32))
        def attack(seed: int) -> None:
            answer = harness.attacker.post(corpus.mutated(Random(seed)))
            assert answer.status_code == 200 or is_refused(answer) or answer.json()["code"] == "unknown-tables"

        attack()


def test_damaged_frames_in_a_batch_harm_no_others(harness: AttackHarness) -> None:
    good = batch_with_scans(50, range(8))

    def hurt(scan: bytes, rng: Random) -> bytes:
        at = rng.randrange(len(scan))
        return rng.choice((scan[:at], changed(scan, at, rng.randbytes(1)), scan[:at] + b"\xff\xd9" + scan[at:], b""))

    with harness.unharmed(cpu_seconds=EXAMPLES * CPU_A_FRAME_SECONDS, rss_bytes=32 * MIB):

        @settings(max_examples=EXAMPLES // 2, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(seed=st.integers(0, 2**32))
        def attack(seed: int) -> None:
            rng, first = Random(seed), harness.numbers(len(good.items))
            is_hurt = [rng.random() < 0.5 for _ in good.items]
            items = [
                BatchItem(first + n, item.captured_at_ms, hurt(item.scan, rng) if bad else item.scan)
                for n, (item, bad) in enumerate(zip(good.items, is_hurt, strict=True))
            ]
            body = Batch(good.prefix, tuple(items)).to_bytes()
            answer = harness.attacker.http.post(
                "/v1/frames:batch", content=body, headers={"content-type": BATCH_MEDIA_TYPE}
            )
            results = json.loads(answer.content)["results"]
            assert answer.status_code == 200
            assert all("label" in result for result, bad in zip(results, is_hurt, strict=True) if not bad)
            assert all(400 <= result["problem"]["status"] < 500 for result in results if "problem" in result)

        attack()


def test_damaged_batches_are_answered_or_refused(harness: AttackHarness) -> None:
    with harness.unharmed(cpu_seconds=EXAMPLES * CPU_A_FRAME_SECONDS, rss_bytes=32 * MIB):

        @settings(max_examples=EXAMPLES // 2, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(seed=st.integers(0, 2**32))
        def attack(seed: int) -> None:
            rng = Random(seed)
            body = bytearray(batch_with_scans(50, range(4), harness.numbers(4)).to_bytes())
            for _ in range(rng.randint(1, 4)):
                body[rng.randrange(len(body))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            del body[rng.randrange(len(body)) if rng.random() < 0.2 else len(body) :]
            answer = harness.attacker.http.post(
                "/v1/frames:batch", content=bytes(body), headers={"content-type": BATCH_MEDIA_TYPE}
            )
            assert answer.status_code == 200 or is_refused(answer)

        attack()
