"""A classifier in ONNX Runtime: loaded, checked against its bundle, warmed up, and run. The one door to onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from cloud_server.errors import ClassifierError
from shared.bundle import InputGeometry

Levels = npt.NDArray[np.int16]
Logits = npt.NDArray[np.float32]
_LOG_ERRORS_ONLY = 3


class Classifier:
    """One shared session. `run` may be called from any number of threads; each call uses only its own thread."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    def load(cls, path: Path, geometry: InputGeometry, classes: int, batch_sizes: Sequence[int] = (1,)) -> "Classifier":
        """Build the session from the file, check its inputs and outputs, and run it once for each batch size.

        Args:
            classes: how many labels it must tell apart.

        Raises:
            ClassifierError: not a model ONNX Runtime can run, or not one for this geometry and these labels.
        """
        classifier = cls(_session(path))
        classifier._check_inputs(geometry)
        for size in batch_sizes:
            classifier._check_output(geometry, size, classes)
        return classifier

    def run(self, y: Levels, c: Levels) -> Logits:
        """Logits float32 (n, classes) of quantised levels: y int16 (n, 64, h/8, w/8), c int16 (n, 128, h/16, w/16)."""
        (logits,) = self._session.run(("logits",), {"y": y, "c": c})
        return logits  # type: ignore[no-any-return]

    def _check_inputs(self, geometry: InputGeometry) -> None:
        height, width = geometry.height, geometry.width
        wanted = {"y": [64, height // 8, width // 8], "c": [128, height // 16, width // 16]}
        offered = {node.name: node for node in self._session.get_inputs()}
        if offered.keys() != wanted.keys():
            raise ClassifierError(f"the classifier must have the inputs y and c, not {sorted(offered)}")
        for name, shape in wanted.items():
            node = offered[name]
            if node.type != "tensor(int16)" or node.shape[1:] != shape or isinstance(node.shape[0], int):
                raise ClassifierError(f"input {name} must be int16 [N, {shape}], not {node.type} {node.shape}")
        outputs = [node.name for node in self._session.get_outputs()]
        if "logits" not in outputs:
            raise ClassifierError(f"the classifier must have the output logits, not {outputs}")

    def _check_output(self, geometry: InputGeometry, size: int, classes: int) -> None:
        y = np.zeros((size, 64, geometry.height // 8, geometry.width // 8), np.int16)
        c = np.zeros((size, 128, geometry.height // 16, geometry.width // 16), np.int16)
        try:
            logits = self.run(y, c)
        except Exception as error:
            raise ClassifierError(f"the classifier fails on {size} empty frames: {_first_line(error)}") from error
        if logits.dtype != np.float32 or logits.shape != (size, classes):
            raise ClassifierError(
                f"logits must be float32 ({size}, {classes}), one a label, not {logits.dtype} {logits.shape}"
            )
        if not np.isfinite(logits).all():
            raise ClassifierError("the classifier's logits are not finite on empty frames")


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _LOG_ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class but this
        raise ClassifierError(f"ONNX Runtime cannot load the classifier: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
