"""Golden frames: canonical and bounded, and refused when anything in them is not as it should be."""

import json
from typing import Any

import numpy as np
import pytest

from shared.bundle import GOLDEN_FRAMES_MAX, GOLDEN_LIMIT_BYTES, GOLDEN_LOGITS_MAX, BundleError, Golden
from shared.jpeg import Encoder, Stream, TableSet
from tests.shared.jpeg import pictures

FRAMES = Encoder(TableSet.standard(50)).encode_batch(
    np.stack([pictures.photograph()[y : y + 32, :32] for y in (0, 32, 64)]), Stream.ABBREVIATED
)
GOLDEN = Golden(
    frames=tuple(FRAMES), truth=(4, 0, 2), logits=((0.5, -1.25, 3.0, 1e-30, 7.0), (1.0, 2.0, 3.0, 4.0, 5.0))
)


def edited(**changes: Any) -> bytes:
    return canonical(json.loads(GOLDEN.to_bytes()) | changes)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def test_golden_frames_come_back_as_they_were() -> None:
    again = Golden.from_bytes(GOLDEN.to_bytes())
    assert again == GOLDEN
    assert list(again.frames) == FRAMES


def test_the_most_frames_there_may_be_fit_where_each_is_of_the_size_of_a_camera_of_224_pixels() -> None:
    most = Golden(
        frames=(bytes(range(256)) * 40,) * GOLDEN_FRAMES_MAX,
        truth=tuple(index % 1000 for index in range(GOLDEN_FRAMES_MAX)),
        logits=((-1.2345678,) * 1000,) * GOLDEN_LOGITS_MAX,
    )
    assert Golden.from_bytes(most.to_bytes()) == most


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": []}, "frames"),
        ({"frames": ["!"] * 3}, "frames.0: .*base64"),
        ({"frames": ["\u00e4"] * 3}, "frames.0: .*base64"),
        ({"frames": [1, 2, 3]}, "frames.0: .*base64 text"),
        ({"frames": [["AAAA"]] * 3}, "frames.0"),
        ({"frames": ["AAAA"] * (GOLDEN_FRAMES_MAX + 1)}, "frames"),
        ({"frames": ["AAAA"] * 2}, "2 frames have 3 labels"),
        ({"truth": [0, 1]}, "3 frames have 2 labels"),
        ({"truth": [0] * (GOLDEN_FRAMES_MAX + 1)}, "truth"),
        ({"truth": [0, 1, 5]}, "rows of .5. logits do not fit labels up to 5"),
        ({"truth": [0, 1, -1]}, "truth.2"),
        ({"truth": [0, 1, True]}, "truth.2"),
        ({"truth": [0, 1, 2.0]}, "truth.2"),
        ({"truth": [0, 1, 10**400]}, "truth.2"),
        ({"logits": []}, "logits"),
        ({"logits": [[]]}, "logits.0"),
        ({"logits": [[1.0] * 5, [1.0] * 4]}, "rows of .4, 5. logits"),
        ({"logits": [[1.0] * 5] * 4}, "3 frames have logits for 4"),
        ({"logits": [["1.0"] * 5]}, "logits.0.0"),
        ({"logits": [[float("nan")] * 5]}, "logits.0.0"),
        ({"logits": [[float("inf")] * 5]}, "logits.0.0"),
        ({"logits": [[1] * 5]}, "canonical"),
        ({"more": 1}, "more"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Golden.from_bytes(edited(**changes))


@pytest.mark.parametrize("field", ["frames", "truth", "logits"])
def test_a_field_that_is_missing_is_refused_by_name(field: str) -> None:
    fields = json.loads(GOLDEN.to_bytes())
    del fields[field]
    with pytest.raises(BundleError, match=field):
        Golden.from_bytes(canonical(fields))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "golden"),
        (b"\xff\xfe", "golden"),
        (b"[" * 100_000, "golden"),
        (b'{"frames":' * 100_000, "golden"),
        (b'"' + b"A" * GOLDEN_LIMIT_BYTES, f"at most {GOLDEN_LIMIT_BYTES}"),
        (b" " + GOLDEN.to_bytes(), "canonical"),
        (GOLDEN.to_bytes().replace(b'"truth"', b'"truth":[4,0,2],"truth"'), "canonical"),
        (GOLDEN.to_bytes()[:-1], "golden"),
    ],
)
def test_bytes_that_are_no_canonical_golden_frames_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Golden.from_bytes(data)


def test_more_than_the_limit_is_not_even_written() -> None:
    large = Golden(frames=(bytes(GOLDEN_LIMIT_BYTES),), truth=(0,), logits=((1.0,),))
    with pytest.raises(BundleError, match="at most"):
        large.to_bytes()
