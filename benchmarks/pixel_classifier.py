"""What both peers have in common: JPEG files to labels, by Pillow, numpy and ONNX Runtime on one thread."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.pixels import decoded, normalised


class Answer(BaseModel):
    """What a client learns of a picture."""

    label: str
    confidence: float


class PixelClassifier:
    """A folder's net.

    Args:
        folder: holds `classifier.onnx` (pixels float32 [N, 3, h, w] to logits) and `labels.json`.
    """

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            folder / "classifier.onnx", options, providers=["CPUExecutionProvider"]
        )
        self.labels: list[str] = json.loads((folder / "labels.json").read_text())

    def classify(self, jpeg: bytes) -> Answer:
        """One file."""
        (answer,) = self.answers(self.pixels(jpeg)[None])
        return answer

    def pixels(self, jpeg: bytes) -> NDArray[np.float32]:
        """float32 (3, h, w)."""
        return normalised(decoded(jpeg))

    def logits(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (n, classes) of pictures float32 (n, 3, h, w)."""
        (logits,) = self._session.run(["logits"], {"pixels": pixels})
        return np.asarray(logits, np.float32)

    def answers(self, pixels: NDArray[np.float32]) -> Sequence[Answer]:
        """Of several pictures, float32 (n, 3, h, w)."""
        logits = self.logits(pixels)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        confidences = odds.max(axis=1) / odds.sum(axis=1)
        return [
            Answer(label=self.labels[index], confidence=round(float(confidence), 4))
            for index, confidence in zip(logits.argmax(axis=1), confidences, strict=True)
        ]
