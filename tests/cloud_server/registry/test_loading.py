"""From blobs to a model: golden frames must come out, and eight bits serve only where they are worth it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cloud_server.errors import ClassifierError
from cloud_server.inference.precision import Precision
from cloud_server.inference.routing import Published
from cloud_server.inference.warm_up import BatchLimits
from cloud_server.registry.loading import Loading
from cloud_server.storage.directory_blobs import DirectoryBlobs
from shared.bundle import (
    GOLDEN_NAME,
    INT8_NAME,
    MODEL_NAME,
    REFERENCE_LIMIT_BYTES,
    REFERENCE_NAME,
    Bundle,
    BundleError,
    Golden,
    Reference,
    UnsupportedBundleError,
)
from tests.cloud_server.harness.bundles import named_anew, write_bundle, write_golden
from tests.cloud_server.harness.classifiers import LABELS, burden, write_classifier
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import tables

LIMITS = BatchLimits(frames=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a model's files are made."""
    return tmp_path / "model"


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    """An empty store."""
    return DirectoryBlobs(tmp_path / "blobs")


@pytest.fixture
def load(blobs: DirectoryBlobs, folder: Path) -> Callable[[Published], Loading]:
    """Puts a folder's files into the store."""

    def put(published: Published) -> Loading:
        for name in published.classifier.files:
            blobs.put((folder / name).read_bytes())
        return Loading(blobs, LIMITS, 1 << 30)

    return put


Load = Callable[[Published], Loading]


def changed_golden(folder: Path, **changes: object) -> None:
    golden = Golden.from_bytes((folder / GOLDEN_NAME).read_bytes())
    (folder / GOLDEN_NAME).write_bytes(golden.model_copy(update=changes).to_bytes())


def test_a_model_is_checked_warmed_up_and_accounted_for(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    model = load(bundle).model(bundle)
    assert (model.labels, model.precision) == (LABELS, Precision.FP32)
    assert 1 <= model.classifier.batch_max <= LIMITS.frames
    assert model.classifier.seconds > 0
    assert model.cost_bytes >= (folder / MODEL_NAME).stat().st_size


def test_a_model_that_comes_back_is_not_tried_out_again(folder: Path, load: Load, blobs: DirectoryBlobs) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    loading = load(bundle)
    first = loading.model(bundle)
    blobs.delete(bundle.classifier.golden_sha256)
    again = loading.model(bundle)
    assert again.classifier is not first.classifier
    assert (again.classifier.batch_max, again.cost_bytes) == (first.classifier.batch_max, first.cost_bytes)


def test_what_does_not_reproduce_its_golden_logits_is_refused(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50), seed=1)
    write_classifier(folder / MODEL_NAME, seed=2)
    bundle = named_anew(folder, bundle)
    with pytest.raises(ClassifierError, match="golden logits"):
        load(bundle).model(bundle)


def test_golden_logits_need_not_match_to_the_last_bit(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    golden = Golden.from_bytes((folder / GOLDEN_NAME).read_bytes())
    nudge = 1e-4 * float(np.std(golden.logits))
    changed_golden(folder, logits=tuple(tuple(value + nudge for value in row) for row in golden.logits))
    bundle = named_anew(folder, bundle)
    assert load(bundle).model(bundle).labels == LABELS


def test_golden_frames_of_other_tables_are_refused(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    other = write_bundle(folder.with_name("other"), "a", 2, tables(25))
    write_golden(folder, other.encoding)
    bundle = named_anew(folder, bundle)
    with pytest.raises(ClassifierError, match="golden frame 0"):
        load(bundle).model(bundle)


def test_a_bundle_with_a_reference_loads(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50), reference=Reference(temperature=1.5))
    assert REFERENCE_NAME in bundle.classifier.files
    loading = load(bundle)
    first, again = loading.model(bundle), loading.model(bundle)
    assert first.labels == LABELS
    assert first.reference == again.reference == Reference(temperature=1.5)
    assert first.temperature == again.temperature == 1.5


@pytest.mark.parametrize("reference", [None, Reference()])
def test_a_classifier_whose_trainer_found_no_temperature_has_1(
    folder: Path, load: Load, reference: Reference | None
) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50), reference=reference)
    assert load(bundle).model(bundle).temperature == 1


@pytest.mark.parametrize("content", [b"{}", b"", b"x" * (2 * REFERENCE_LIMIT_BYTES)])
def test_a_reference_that_is_none_is_refused(folder: Path, load: Load, content: bytes) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    (folder / REFERENCE_NAME).write_bytes(content)
    bundle = named_anew(folder, bundle)
    with pytest.raises(BundleError, match="reference"):
        load(bundle).model(bundle)


def test_a_bundle_of_a_later_version_does_not_serve(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50)).model_copy(update={"lapping": {"taps": [1]}})
    with pytest.raises(UnsupportedBundleError, match="a/1 asks for lapping"):
        load(bundle).model(bundle)


def test_golden_frames_that_are_none_are_refused(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    (folder / GOLDEN_NAME).write_text(json.dumps({"frames": []}))
    bundle = named_anew(folder, bundle)
    with pytest.raises(BundleError, match="golden frames"):
        load(bundle).model(bundle)


def test_a_fallback_reads_coefficients(folder: Path, load: Load) -> None:
    fallback = write_fallback(folder, "a")
    assert load(fallback).model(fallback).classifier.reads.dtype == np.float32


def test_a_fallback_that_reads_levels_is_refused(folder: Path, load: Load) -> None:
    fallback = write_fallback(folder, "a")
    write_classifier(folder / MODEL_NAME)
    fallback = fallback.model_copy(update={"classifier": named_anew(folder, write_bundle_like(folder)).classifier})
    with pytest.raises(ClassifierError, match="input y must be float32"):
        load(fallback).model(fallback)


def write_bundle_like(folder: Path) -> Bundle:
    return write_bundle(folder.with_name("bundle"), "a", 1, tables(50))


def eight_bits(folder: Path, *, is_slower: bool = False, is_wrong: bool = False) -> Bundle:
    """A bundle whose plain classifier is burdened, or not, and its twin the other way about."""
    bundle = write_bundle(folder, "a", 1, tables(50))
    (folder / INT8_NAME).write_bytes((folder / MODEL_NAME).read_bytes())
    burden(folder / (INT8_NAME if is_slower else MODEL_NAME))
    if is_wrong:
        model = onnx.load(folder / INT8_NAME)
        weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
        weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), "weights"))
        onnx.save(model, folder / INT8_NAME)
    write_golden(folder, bundle.encoding)
    return named_anew(folder, bundle)


def test_eight_bits_serve_where_they_are_faster_and_as_good(folder: Path, load: Load) -> None:
    bundle = eight_bits(folder)
    assert load(bundle).model(bundle).precision is Precision.INT8


def test_eight_bits_that_lose_accuracy_do_not_serve(folder: Path, load: Load) -> None:
    bundle = eight_bits(folder, is_wrong=True)
    assert load(bundle).model(bundle).precision is Precision.FP32


def test_eight_bits_that_are_slower_do_not_serve(folder: Path, load: Load) -> None:
    bundle = eight_bits(folder, is_slower=True)
    assert load(bundle).model(bundle).precision is Precision.FP32


def test_the_chosen_precision_comes_back(folder: Path, load: Load) -> None:
    bundle = eight_bits(folder)
    loading = load(bundle)
    loading.model(bundle)
    assert loading.model(bundle).precision is Precision.INT8


def test_a_model_is_charged_for_its_weights(folder: Path, load: Load) -> None:
    bundle = write_bundle(folder, "a", 1, tables(50))
    burden(folder / MODEL_NAME, width=20_000)
    write_golden(folder, bundle.encoding)
    bundle = named_anew(folder, bundle)
    size = (folder / MODEL_NAME).stat().st_size
    assert size <= load(bundle).model(bundle).cost_bytes < 4 * size
