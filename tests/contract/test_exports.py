"""What the trainer exports, the server serves: with the same answers, in the precision that its golden frames allow."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shared.jpeg import Stream, TableSet
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from trainer.data import Dataset, SplitName, synthetic
from trainer.encoding.encodings import steps_of
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.export import bundle as export
from trainer.export import fallback
from trainer.export.classifier import OnnxClassifier
from trainer.export.fallback import FallbackClassifier, dequantised_planes
from trainer.export.golden import GoldenPictures
from trainer.export.int8 import EightBits
from trainer.export.onnx_graph import to_onnx
from trainer.models import DctNet, DctNetConfig

ENCODING = Encoding(TableSet.standard(40), EncoderSettings.nearest(rounding=0.4))
MADE: dict[str, Any] = {"family": "gate", "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
FRAMES = 32


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    train, validation, test = (synthetic.generate(name, 64, size=32, seed=3) for name in SplitName)
    return Dataset("synthetic-32/v1/seed3", synthetic.CLASSES, train, validation, test)


@pytest.fixture(scope="module")
def net(dataset: Dataset) -> DctNet:
    """Not trained: what it says means nothing, but it says it clearly."""
    torch.manual_seed(0)
    return DctNet(DctNetConfig(len(dataset.classes), (8, 12)), torch.full((3, 64), 0.02)).eval()


@pytest.fixture(scope="module")
def bundle_content(net: DctNet, dataset: Dataset) -> export.Exportable:
    return export.Exportable(
        encoding=ENCODING,
        model=to_onnx(net, steps_of(ENCODING), 32, 32),
        labels=dataset.classes,
        height=32,
        width=32,
    )


@pytest.fixture(scope="module")
def fallback_content(net: DctNet, dataset: Dataset) -> FallbackClassifier:
    return FallbackClassifier(model=to_onnx(net, None, 32, 32), labels=dataset.classes, height=32, width=32)


@pytest.fixture(scope="module")
def harness(
    bundle_content: export.Exportable,
    fallback_content: FallbackClassifier,
    dataset: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerHarness]:
    """A server with both published."""
    folder = tmp_path_factory.mktemp("exports")
    write_bundle(bundle_content, dataset, folder / "bundle")
    write_fallback(fallback_content, dataset, folder / "fallback")
    with server_in_thread(folder / "server") as harness:
        harness.publish(folder / "bundle")
        harness.publish(folder / "fallback")
        [row] = harness.client("operator").get("/v1/fallbacks").json()["fallbacks"]
        harness.release(row["name"])
        yield harness


def write_bundle(content: export.Exportable, dataset: Dataset, folder: Path) -> None:
    expected = export.measure(content, dataset, SplitName.VALIDATION, "standard, quality 40").evaluation
    golden = export.golden_of(content, GoldenPictures.GENERATED, dataset)
    numbers: dict[str, Any] = {"counter": 1, "min_counter": 1, "selftest_seed": 1}
    export.write_bundle(content, golden, kept(export.twin_of(content, dataset)), expected, folder, **numbers, **MADE)


def write_fallback(content: FallbackClassifier, dataset: Dataset, folder: Path) -> None:
    golden, twin = (
        fallback.golden_of(content, GoldenPictures.HELD_OUT, dataset),
        kept(fallback.twin_of(content, dataset)),
    )
    fallback.write_fallback(content, golden, twin, fallback.measure(content, dataset, SplitName.TEST), folder, **MADE)


def kept(twin: EightBits) -> EightBits:
    """The twin, exported whatever it lost: a net that was not trained has no accuracy to hold."""
    return EightBits(twin.model, twin.float_right, twin.float_right, twin.n)


def answers(harness: ServerHarness, frames: list[bytes]) -> list[tuple[str, str]]:
    """Model and label of each frame."""
    device = harness.enrol("gate")
    documents = [device.post(frame).json() for frame in frames]
    return [(document["match"], document["label"]) for document in documents]


def test_an_exported_bundle_is_served_and_answers_as_the_trainer_measured(
    harness: ServerHarness, bundle_content: export.Exportable, dataset: Dataset
) -> None:
    [row] = harness.client("operator").get("/v1/bundles").json()["bundles"]
    assert row["state"] == "loaded"
    frames = ENCODING.encoder().encode_batch(dataset.test.pixels[:FRAMES], Stream.ABBREVIATED)
    likeliest = export.logits_of(bundle_content, frames).argmax(1)
    agreed = [
        answer == ("exact", dataset.classes[index])
        for answer, index in zip(answers(harness, frames), likeliest, strict=True)
    ]
    assert all(agreed) if row["precision"] == "fp32" else sum(agreed) >= FRAMES - 4


def test_an_exported_fallback_answers_ordinary_files_as_the_trainer_measured(
    harness: ServerHarness, fallback_content: FallbackClassifier, dataset: Dataset
) -> None:
    [row] = harness.client("operator").get("/v1/fallbacks").json()["fallbacks"]
    assert row["state"] == "loaded"
    files = [saved_by_pillow(pixels) for pixels in dataset.test.pixels[:FRAMES]]
    likeliest = OnnxClassifier(fallback_content.model).logits(dequantised_planes(files, 32, 32)).argmax(1)
    agreed = [
        answer == ("fallback", dataset.classes[index])
        for answer, index in zip(answers(harness, files), likeliest, strict=True)
    ]
    assert all(agreed) if row["precision"] == "fp32" else sum(agreed) >= FRAMES - 4


def saved_by_pillow(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85, subsampling="4:2:0")
    return file.getvalue()
