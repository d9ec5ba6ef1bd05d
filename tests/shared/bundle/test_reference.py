"""What a trainer measured for the server: canonical and bounded, and refused where the numbers cannot be true."""

import json
from typing import Any

import pytest

from shared.bundle import (
    REFERENCE_LIMIT_BYTES,
    BaselineFactor,
    BundleError,
    Disagreement,
    Drift,
    Histogram,
    Reference,
)
from shared.bundle.reference import BINS_MAX, SIGNALS_MAX

SPREAD = Histogram(edges=(-0.5, 0.0, 2.5), shares=(0.125, 0.25, 0.5, 0.125))
REFERENCE = Reference(
    temperature=1.25,
    drift=Drift(n=1000, signals={"zero_share": SPREAD, "confidence": SPREAD}),
    baseline_factor=BaselineFactor(quality=75.0, factor=1.5, n=1000),
    disagreement=Disagreement(counter=6, share=0.03125, n=1000),
)


def edited(**changes: Any) -> bytes:
    return json.dumps(json.loads(REFERENCE.to_bytes()) | changes, sort_keys=True, separators=(",", ":")).encode()


def drift(**changes: Any) -> dict[str, Any]:
    histogram = {"edges": [0.0], "shares": [0.5, 0.5]} | changes
    return {"n": 10, "signals": {"dc_level": histogram}}


@pytest.mark.parametrize("reference", [REFERENCE, Reference(), Reference(temperature=0.5)])
def test_a_reference_comes_back_as_it_was_whatever_was_not_measured(reference: Reference) -> None:
    assert Reference.from_bytes(reference.to_bytes()) == reference


def test_every_part_is_null_where_it_was_not_measured() -> None:
    assert json.loads(Reference().to_bytes()) == {
        "schema": 1,
        "temperature": None,
        "drift": None,
        "baseline_factor": None,
        "disagreement": None,
    }


def test_histograms_of_two_dozen_signals_fit_at_full_precision() -> None:
    edges = tuple(index + 0.12345678901234567 for index in range(31))
    spread = Histogram(edges=edges, shares=(1 / 32,) * 32)
    most = Reference(drift=Drift(n=2**31 - 1, signals={f"signal_{index}": spread for index in range(24)}))
    assert Reference.from_bytes(most.to_bytes()) == most


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "schema"),
        ({"more": 1}, "more"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": 1e6}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"drift": {"n": 0, "signals": {}}}, "drift.n"),
        ({"drift": {"n": 1, "signals": {}}}, "drift.signals"),
        ({"drift": {"n": 1, "signals": {"Odd name": {}}}}, "drift.signals"),
        ({"drift": drift(edges=[])}, "edges"),
        ({"drift": drift(edges=[1.0, 1.0], shares=[0.5, 0.25, 0.25])}, "edges must rise"),
        ({"drift": drift(shares=[0.5, 0.25, 0.25])}, "1 edges make 2 bins, not 3"),
        ({"drift": drift(shares=[0.5, 0.25])}, "sum up to 0.75, not 1"),
        ({"drift": drift(shares=[1.5, -0.5])}, "shares"),
        ({"drift": drift(edges=list(map(float, range(BINS_MAX))))}, "edges"),
        ({"drift": {"n": 1, "signals": {f"s{i}": None for i in range(SIGNALS_MAX + 1)}}}, "drift.signals"),
        ({"baseline_factor": {"quality": 0.0, "factor": 1.0, "n": 1}}, "baseline_factor.quality"),
        ({"baseline_factor": {"quality": 75.0, "factor": 0.0, "n": 1}}, "baseline_factor.factor"),
        ({"baseline_factor": {"quality": 75.0, "factor": 1.0}}, "baseline_factor.n"),
        ({"disagreement": {"counter": 0, "share": 0.5, "n": 1}}, "disagreement.counter"),
        ({"disagreement": {"counter": 1, "share": 1.5, "n": 1}}, "disagreement.share"),
    ],
)
def test_a_part_that_cannot_be_true_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Reference.from_bytes(edited(**changes))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b" " * (REFERENCE_LIMIT_BYTES + 1), "at most 65536"),
        (b" " + REFERENCE.to_bytes(), "canonical"),
        (b"{}", "canonical"),
        (b"[]", "reference"),
        (REFERENCE.to_bytes().replace(b"1.25", b"NaN"), "reference"),
        (REFERENCE.to_bytes().replace(b"2.5]", b"1e999]"), "reference"),
    ],
)
def test_bytes_that_are_no_canonical_reference_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Reference.from_bytes(data)
