"""The exported classifier as the server will run it. The trainer's one door to onnxruntime."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from trainer.diff_jpeg import Planes
from trainer.encoding.streams import Levels
from trainer.errors import ParityError

BATCH = 256
LOG_ERRORS_ONLY = 3


class OnnxClassifier:
    """Logits of levels (or of dequantised coefficients, if it is made for any tables), by ONNX Runtime.

    Args:
        model: serialised ONNX.
        threads: for one call.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def logits(self, frames: Levels | Planes) -> NDArray[np.float32]:
        """float32 (n, classes)."""
        y, c = frames.y.numpy(), frames.c.numpy()
        slices = [slice(start, start + BATCH) for start in range(0, len(y), BATCH)]
        return np.concatenate([self.run({"y": y[rows], "c": c[rows]}) for rows in slices])

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """float32 (n, classes) of one call; inputs by name."""
        (logits,) = self._session.run(("logits",), inputs)
        return np.asarray(logits, np.float32)


def check_parity(expected: NDArray[np.float32], actual: NDArray[np.float32], tolerance: float) -> float:
    """The largest difference, relative to the spread of `expected`.

    Raises:
        ParityError: it exceeds `tolerance`.
    """
    difference = float(np.abs(expected - actual).max() / max(float(expected.std()), 1e-9))
    if not difference <= tolerance:
        raise ParityError(f"torch and ONNX Runtime differ by {difference:.2e} of the logits' spread, over {tolerance}")
    return difference
