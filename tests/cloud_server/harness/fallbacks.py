"""Fallback folders as the trainer exports them: classifiers of coefficients under any tables."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto

from shared.bundle import (
    FALLBACK_NAME,
    GOLDEN_NAME,
    LABELS_NAME,
    MODEL_NAME,
    ExpectedOfTables,
    Fallback,
    Golden,
    InputGeometry,
)
from shared.jpeg import Decoder, Stream
from tests.cloud_server.harness.bundles import classifier_ref
from tests.cloud_server.harness.classifiers import LABELS, write_classifier
from tests.cloud_server.harness.frames import SIDE, frame, tables

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


QUALITIES = (20, 50, 80)


def write_fallback(
    folder: Path,
    family: str,
    *,
    seed: int = 0,
    side: int = SIDE,
    created_at: datetime = CREATED,
    change: Callable[[Path], None] = lambda _path: None,
) -> Fallback:
    """A fallback folder: `write_classifier(seed=seed)` on dequantised coefficients."""
    folder.mkdir(parents=True)
    write_classifier(folder / MODEL_NAME, seed=seed, side=side)
    model = onnx.load(folder / MODEL_NAME)
    for node in model.graph.input:
        node.type.tensor_type.elem_type = TensorProto.FLOAT
    onnx.save(model, folder / MODEL_NAME)
    change(folder / MODEL_NAME)
    (folder / LABELS_NAME).write_text(json.dumps(LABELS))
    write_fallback_golden(folder, side)
    expected = {"bytes_p50": 200.0, "bytes_p95": 300.0, "accuracy": 0.5, "n": 10, "data": "noise"}
    fallback = Fallback(
        family=family,
        created_at=created_at,
        input=InputGeometry(width=side, height=side),
        classifier=classifier_ref(folder),
        expected=(ExpectedOfTables.model_validate(expected | {"tables": "standard, quality 50"}),),
    )
    (folder / FALLBACK_NAME).write_bytes(fallback.to_bytes())
    return fallback


def write_fallback_golden(folder: Path, side: int = SIDE) -> None:
    """golden.json of a fallback: whole files of several tables, and what its classifier says of them."""
    frames = [frame(tables(quality), 1000 + quality, Stream.INTERCHANGE, side) for quality in QUALITIES]
    session = onnxruntime.InferenceSession(str(folder / MODEL_NAME), providers=["CPUExecutionProvider"])
    y, c = coefficients(frames, side)
    (logits,) = session.run(("logits",), {"y": y, "c": c})
    truth = tuple(logits.argmax(1).tolist())
    golden = Golden(frames=tuple(frames), truth=truth, logits=tuple(map(tuple, logits.tolist())))
    (folder / GOLDEN_NAME).write_bytes(golden.to_bytes())


def coefficients(frames: list[bytes], side: int = SIDE) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Dequantised coefficients of whole files."""
    y = np.empty((len(frames), 64, side // 8, side // 8), np.float32)
    c = np.empty((len(frames), 128, side // 16, side // 16), np.float32)
    assert Decoder().decode_batch(frames, y, c, dequantise=True) == [None] * len(frames)
    return y, c
