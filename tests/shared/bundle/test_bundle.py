"""A bundle's bytes: canonical, bounded, and refused when anything in them is not as it should be."""

import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from shared.bundle import (
    BUNDLE_LIMIT_BYTES,
    Bundle,
    BundleError,
    ClassifierRef,
    EncoderSettings,
    Encoding,
    Expected,
    InputGeometry,
    Selftest,
    SelftestError,
    UnsupportedBundleError,
    selftest_sha256,
)
from shared.jpeg import Fit, FitMode, Sampling, SymbolCounts, TableSet
from tests.vectors.bundle_vectors import FOLDER, bundles

TABLES = TableSet.standard(50)
STEPS = np.array([list(table) for table in TABLES.quant], float)
CLASSIFIER = ClassifierRef(
    sha256="a" * 64,
    labels_sha256="b" * 64,
    golden_sha256="c" * 64,
    int8_sha256="d" * 64,
    reference_sha256="e" * 64,
)
SETTINGS = EncoderSettings.nearest(rounding=0.4, mask=np.arange(64) > 55, weights=1 / (0.15 * STEPS**2))


def make(**changes: Any) -> Bundle:
    fields: dict[str, Any] = {
        "family": "doorbell",
        "counter": 2,
        "min_counter": 1,
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "input": InputGeometry(width=32, height=32),
        "tables": TABLES,
        "settings": SETTINGS,
        "classifier": CLASSIFIER,
        "expected": Expected(bytes_p50=80.0, bytes_p95=120.0, accuracy=0.9, n=1000, data="synthetic"),
        "selftest": Selftest(seed=7, sha256=selftest_sha256(Encoding(TABLES, SETTINGS), 32, 32, 7)),
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
    assert bundle.encoding == Encoding(TABLES, SETTINGS)
    assert (bundle.name, bundle.target_path) == ("doorbell/2", "doorbell/2.json")


@pytest.mark.parametrize("name", bundles())
def test_golden_bundles_keep_their_bytes_and_their_self_test_on_every_machine(name: str) -> None:
    # Other bytes or digests here would make every fielded device refuse every published bundle.
    golden = (FOLDER / name).read_bytes()
    assert bundles()[name].to_bytes() == golden
    Bundle.from_bytes(golden).check_selftest()


def test_the_largest_bundle_fits() -> None:
    noise = np.random.default_rng(1)
    counts = SymbolCounts()
    counts.add(noise.integers(-99, 99, (9, 64, 4, 4), np.int16), noise.integers(-9, 9, (9, 128, 2, 2), np.int16))
    quant = noise.integers(1, 256, (3, 64), np.uint8)
    tables = TABLES.with_quant(quant).with_huffman(counts.tables())
    settings = EncoderSettings(noise.integers(0, 65, (3, 64), np.uint8), quant > 128, quant)
    most, long_float = 2**31 - 1, 1.7976931348623157e308
    bundle = make(
        family="d" * 63,
        counter=most,
        min_counter=most,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=-9, minutes=-30))),
        input=InputGeometry(width=4096, height=4096),
        tables=tables,
        settings=settings,
        expected=Expected(
            bytes_p50=long_float, bytes_p95=long_float, accuracy=1.2345678901234567e-300, n=most, data="\U0001f4f7" * 64
        ),
        selftest=Selftest(seed=2**63 - 1, sha256="c" * 64),
        fit=Fit(share=0.12345678901234567),
    )
    assert Bundle.from_bytes(bundle.to_bytes()) == bundle
    assert all(bundle.classifier.model_dump().values())


def test_the_signed_entry_names_every_file_that_lies_beside_a_bundle() -> None:
    assert make().classifier.files == {
        "classifier.onnx": "a" * 64,
        "labels.json": "b" * 64,
        "golden.json": "c" * 64,
        "classifier-int8.onnx": "d" * 64,
        "reference.json": "e" * 64,
    }
    assert set(make().classifier.files.values()) <= set(make().target_custom.values())
    plain = make(classifier=CLASSIFIER.model_copy(update={"int8_sha256": None}))
    assert "classifier-int8.onnx" not in plain.classifier.files
    assert plain.target_custom["int8_sha256"] is None
    assert Bundle.from_bytes(plain.to_bytes()) == plain


def test_a_bundle_of_schema_1_means_the_middle_of_the_picture_and_signs_no_reference() -> None:
    golden = (FOLDER / "learned.json").read_bytes()
    bundle = Bundle.from_bytes(golden)
    assert (bundle.schema_version, bundle.fit, bundle.lapping) == (1, Fit(), None)
    assert bundle.classifier.reference_sha256 is None
    assert "reference_sha256" not in bundle.target_custom
    assert bundle.to_bytes() == golden


@pytest.mark.parametrize("fit", [Fit(), Fit(share=0.875), Fit(share=0.05), Fit(FitMode.STRETCH)])
def test_a_bundle_says_which_part_of_a_picture_a_frame_shows(fit: Fit) -> None:
    data = make(fit=fit).to_bytes()
    assert json.loads(data)["fit"] == {"mode": fit.mode, "share": fit.share}
    assert Bundle.from_bytes(data).fit == fit


@pytest.mark.parametrize("lapping", [False, 0, "", [], {}, {"taps": [0.25, -1], "gains": "AAAA", "deep": [[[{}]]]}])
def test_a_bundle_that_asks_for_lapping_is_read_and_not_run(lapping: Any) -> None:
    bundle = Bundle.from_bytes(edited(lapping=lapping))
    assert bundle.lapping == lapping
    for attempt in (bundle.require_supported, bundle.check_selftest, lambda: bundle.encoding):
        with pytest.raises(UnsupportedBundleError, match="doorbell/2 asks for lapping") as refusal:
            attempt()
        assert refusal.value.code == "unsupported-bundle"


def test_a_schema_that_never_was_is_invalid_and_no_update_helps() -> None:
    with pytest.raises(BundleError, match="schema") as refusal:
        Bundle.from_bytes(edited(schema=0))
    assert refusal.type is BundleError


def test_a_bundle_of_a_later_schema_is_unsupported_and_not_invalid() -> None:
    with pytest.raises(UnsupportedBundleError, match="schema 3 of a bundle is newer"):
        Bundle.from_bytes(edited(schema=3, more=None))


@pytest.mark.parametrize(
    "text",
    ["1e400", "-1e400", "NaN", "Infinity", "-0", '"\\ud800"', "[" * 900 + "]" * 900, '{"a":1,"a":1}'],
)
@pytest.mark.parametrize("place", ['"lapping":null', '"bytes_p95":120.0', '"share":1.0'])
def test_a_value_that_has_no_canonical_form_is_refused(place: str, text: str) -> None:
    odd = make().to_bytes().replace(place.encode(), f"{place.split(':', maxsplit=1)[0]}:{text}".encode())
    assert odd != make().to_bytes()
    with pytest.raises(BundleError):
        Bundle.from_bytes(odd)


def test_what_is_too_long_for_a_bundle_is_not_written() -> None:
    with pytest.raises(BundleError, match="at most 4096"):
        make(lapping="A" * BUNDLE_LIMIT_BYTES).to_bytes()


@pytest.mark.parametrize("component", range(3))
def test_tables_for_few_bytes_do_not_hide_that_a_component_is_not_optimised(component: int) -> None:
    coarse = TableSet.standard(5)
    steps = np.array([list(table) for table in coarse.quant], float)
    settings = EncoderSettings.nearest(weights=1 / (0.15 * steps**2))
    assert settings.rdo_weights is not None
    codes = settings.rdo_weights.copy()
    codes[component] = 255  # an error of any level is worth more than all bits
    careless = dataclasses.replace(settings, rdo_weights=codes)
    digests = {selftest_sha256(Encoding(coarse, each), 32, 32, 7) for each in (settings, careless)}
    assert len(digests) == 2


@pytest.mark.parametrize("forgotten", ["dead_zone", "zero_mask", "rdo_weights"])
def test_an_encoder_that_leaves_out_a_setting_fails_the_self_test(forgotten: str) -> None:
    default = getattr(EncoderSettings(), forgotten)
    made = make(settings=dataclasses.replace(SETTINGS, **{forgotten: default}))
    with pytest.raises(SelftestError):
        made.check_selftest()


def test_a_self_test_that_this_encoder_fails_is_refused() -> None:
    with pytest.raises(SelftestError, match="doorbell/2"):
        make(selftest=Selftest(seed=8, sha256="c" * 64)).check_selftest()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": 0}, "schema"),
        ({"schema": "2"}, "schema"),
        ({"schema": True}, "schema"),
        ({"schema": 1}, "schema 1 has no classifier.reference_sha256, fit, lapping"),
        ({"fit": None}, "fit"),
        ({"fit": {}}, "fit|canonical"),
        ({"fit": {"mode": "crop"}}, "fit|canonical"),
        ({"fit": {"mode": "zoom", "share": 1.0}}, "fit.mode"),
        ({"fit": {"mode": "crop", "share": 0.0}}, "fit"),
        ({"fit": {"mode": "crop", "share": -0.5}}, "fit"),
        ({"fit": {"mode": "crop", "share": 1.5}}, "fit"),
        ({"fit": {"mode": "crop", "share": "1"}}, "fit.share"),
        ({"fit": {"mode": "crop", "share": True}}, "fit.share"),
        ({"fit": {"mode": "crop", "share": 1}}, "canonical"),
        ({"fit": {"mode": "stretch", "share": 0.5}}, "fit"),
        ({"fit": {"mode": "crop", "share": 1.0, "more": 1}}, "fit|canonical"),
        ({"lapping": "A" * 4000}, "at most 4096"),
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
        ({"settings": None}, "settings"),
        ({"settings": {}}, "settings"),
        ({"settings": SETTINGS.to_json() | {"dead_zone": "AAAA"}}, "settings: .*dead_zone has 3 bytes"),
        (
            {"settings": SETTINGS.to_json() | {"dead_zone": base64.b64encode(b"A" * 192).decode()}},
            "settings: .*up to 64",
        ),
        ({"settings": SETTINGS.to_json() | {"more": None}}, "settings"),
        ({"classifier": CLASSIFIER.model_dump() | {"sha256": "x"}}, "classifier.sha256"),
        ({"classifier": CLASSIFIER.model_dump() | {"golden_sha256": None}}, "classifier.golden_sha256"),
        ({"classifier": CLASSIFIER.model_dump(exclude={"golden_sha256"})}, "classifier.golden_sha256"),
        ({"classifier": CLASSIFIER.model_dump(exclude={"int8_sha256"})}, "canonical"),
        ({"classifier": CLASSIFIER.model_dump() | {"reference_sha256": "E" * 64}}, "classifier.reference_sha256"),
        (
            {"classifier": CLASSIFIER.model_copy(update={"reference_sha256": None}).model_dump(exclude_none=True)},
            "canonical",
        ),
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
