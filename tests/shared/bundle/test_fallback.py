"""A fallback's bytes: canonical, and refused when anything in them is not as it should be."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.bundle import BundleError, ClassifierRef, ExpectedOfTables, Fallback, InputGeometry
from shared.bundle.fallback import FALLBACK_LIMIT_BYTES
from shared.jpeg import Fit

CLASSIFIER = ClassifierRef(sha256="a" * 64, labels_sha256="b" * 64, golden_sha256="c" * 64)


def make(**changes: Any) -> Fallback:
    measured = ExpectedOfTables(
        tables="quality 50", bytes_p50=80.0, bytes_p95=120.0, accuracy=0.9, n=1000, data="synthetic"
    )
    fields: dict[str, Any] = {
        "family": "doorbell",
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "input": InputGeometry(width=32, height=32),
        "classifier": CLASSIFIER,
        "expected": (measured,),
    }
    return Fallback(**(fields | changes))


FALLBACK = make(fit=Fit(share=0.875), classifier=CLASSIFIER.model_copy(update={"reference_sha256": "e" * 64}))
FALLBACK_1 = make(schema_version=1)


def test_a_fallback_comes_back_as_it_was_and_says_what_its_classifier_reads() -> None:
    data = FALLBACK.to_bytes()
    assert Fallback.from_bytes(data) == FALLBACK
    assert json.loads(data)["inputs"] == "coefficients"
    assert json.loads(data)["schema"] == 2
    assert json.loads(data)["fit"] == {"mode": "crop", "share": 0.875}
    assert FALLBACK.target_custom["reference_sha256"] == "e" * 64


def test_a_fallback_of_schema_1_is_read_and_keeps_its_bytes_and_its_name() -> None:
    data = FALLBACK_1.to_bytes()
    assert json.loads(data).keys() == {"classifier", "created_at", "expected", "family", "input", "inputs", "schema"}
    again = Fallback.from_bytes(data)
    assert (again, again.to_bytes(), again.fit) == (FALLBACK_1, data, Fit())
    assert again.name == "doorbell/fallback-dd1101"
    assert "reference_sha256" not in again.target_custom


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counter": 1}, "counter"),
        ({"inputs": "levels"}, "inputs"),
        ({"schema": 3}, "schema 3 of a fallback is newer"),
        ({"schema": 1}, "schema 1 has no classifier.reference_sha256, fit"),
        ({"lapping": None}, "lapping"),
        ({"family": "d" * FALLBACK_LIMIT_BYTES}, "at most 65536"),
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
