"""A fallback's bytes: canonical, and refused when anything in them is not as it should be."""

import json
from datetime import UTC, datetime

import pytest

from shared.bundle import BundleError, ClassifierRef, ExpectedOfTables, Fallback, InputGeometry

FALLBACK = Fallback(
    family="doorbell",
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    input=InputGeometry(width=32, height=32),
    classifier=ClassifierRef(sha256="a" * 64, labels_sha256="b" * 64, golden_sha256="c" * 64),
    expected=(
        ExpectedOfTables(tables="quality 50", bytes_p50=80.0, bytes_p95=120.0, accuracy=0.9, n=1000, data="synthetic"),
    ),
)


def test_a_fallback_comes_back_as_it_was_and_says_what_its_classifier_reads() -> None:
    data = FALLBACK.to_bytes()
    assert Fallback.from_bytes(data) == FALLBACK
    assert json.loads(data)["inputs"] == "coefficients"
    assert json.loads(data)["schema"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counter": 1}, "counter"),
        ({"inputs": "levels"}, "inputs"),
        ({"schema": 2}, "schema"),
        ({"expected": []}, "expected"),
        ({"family": "No Family"}, "family"),
    ],
)
def test_other_fields_are_refused_by_name(change: dict[str, object], words: str) -> None:
    fields = json.loads(FALLBACK.to_bytes()) | change
    with pytest.raises(BundleError, match=words):
        Fallback.from_bytes(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())


def test_other_bytes_of_the_same_content_are_refused() -> None:
    with pytest.raises(BundleError, match="canonical"):
        Fallback.from_bytes(json.dumps(json.loads(FALLBACK.to_bytes())).encode())
    with pytest.raises(BundleError):
        Fallback.from_bytes(b"{")
