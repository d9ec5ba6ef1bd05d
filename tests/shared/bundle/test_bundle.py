"""A bundle's bytes: canonical, bounded, and refused when anything in them is not as it should be."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.bundle import (
    BUNDLE_LIMIT_BYTES,
    Bundle,
    BundleError,
    ClassifierRef,
    Expected,
    InputGeometry,
    Selftest,
    SelftestError,
    selftest_sha256,
)
from shared.jpeg import Sampling, TableSet

TABLES = TableSet.standard(50)
GOLDEN_SELFTEST = "89eaf88417ef98209099b558d3679600fae57b928c771f353123e48b84306ad2"


def make(**changes: Any) -> Bundle:
    fields: dict[str, Any] = {
        "family": "doorbell",
        "counter": 2,
        "min_counter": 1,
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "input": InputGeometry(width=32, height=32),
        "tables": TABLES,
        "classifier": ClassifierRef(sha256="a" * 64, labels_sha256="b" * 64),
        "expected": Expected(bytes_p50=80.0, bytes_p95=120.0, accuracy=0.9, n=1000, data="synthetic"),
        "selftest": Selftest(seed=7, sha256=selftest_sha256(TABLES, 32, 32, 7)),
    }
    return Bundle(**(fields | changes))


def edited(**changes: Any) -> bytes:
    fields = json.loads(make().to_bytes()) | changes
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def test_a_bundle_comes_back_as_it_was_and_fits() -> None:
    data = make().to_bytes()
    assert len(data) < BUNDLE_LIMIT_BYTES
    bundle = Bundle.from_bytes(data)
    assert bundle == make()
    assert bundle.tables.tables_id == TABLES.tables_id
    assert (bundle.name, bundle.target_path) == ("doorbell/2", "doorbell/2.json")


def test_the_standard_bundle_keeps_its_self_test_on_every_machine() -> None:
    # Golden: other bytes here would make every fielded device refuse every published bundle.
    assert make().selftest.sha256 == GOLDEN_SELFTEST
    make().check_selftest()


def test_a_self_test_that_this_encoder_fails_is_refused() -> None:
    with pytest.raises(SelftestError, match="doorbell/2"):
        make(selftest=Selftest(seed=8, sha256="c" * 64)).check_selftest()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": 2}, "schema"),
        ({"extra": 1}, "extra"),
        ({"family": "Door bell"}, "family"),
        ({"counter": 0}, "counter"),
        ({"counter": "2"}, "counter"),
        ({"min_counter": 3}, "min_counter"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-01-02T03:04:05"}, "created_at"),
        ({"input": {"width": 33, "height": 32, "sampling": "4:2:0"}}, "input.width"),
        ({"input": {"width": 32, "height": 32, "sampling": "4:4:4"}}, "input.sampling"),
        ({"tables": 7}, "tables"),
        ({"tables": "!"}, "tables"),
        ({"tables": "AAAA"}, "tables"),
        ({"classifier": {"sha256": "x", "labels_sha256": "b" * 64}}, "classifier.sha256"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BundleError, match=field):
        Bundle.from_bytes(edited(**changes))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "bundle"),
        (b"\xff\xfe", "bundle"),
        (b"[]", "bundle"),
        (b" " * (BUNDLE_LIMIT_BYTES + 1), "at most 4096"),
        (b" " + make().to_bytes(), "canonical"),
        (make().to_bytes()[:-1], "bundle"),
    ],
)
def test_bytes_that_are_no_canonical_bundle_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Bundle.from_bytes(data)


def test_tables_of_another_sampling_than_the_input_are_refused() -> None:
    grey = dataclasses.replace(TABLES, sampling=Sampling.GREY, quant=TABLES.quant[:1], huffman=TABLES.huffman[:2])
    with pytest.raises(ValueError, match="tables are grey"):
        make(tables=grey)
