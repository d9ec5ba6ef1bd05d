"""A classifier in eight bits: activations unsigned, weights signed and scaled by channel. The door to ORT's quantiser.

The graph says so in pairs of QuantizeLinear and DequantizeLinear (QDQ), which ONNX Runtime turns into integer kernels;
it has the same inputs and output as before. Where a processor's products of eight bits saturate (AVX2 and AVX-512
without VNNI) such a classifier may say something else: the server's golden frames find that out.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from trainer.data import Dataset, Split
from trainer.diff_jpeg import Planes
from trainer.encoding.streams import Levels
from trainer.export.classifier import OnnxClassifier
from trainer.export.onnx_graph import LEVELS, MEANS, STEM
from trainer.export.onnx_writer import write_for_quantiser

CALIBRATION_FRAMES = 512
TRIAL_FRAMES = 5_000  # large frames of more would not fit into memory
LOSS_MAX = 0.005  # of accuracy
LARGEST = 127  # level that eight bits hold as it is
BATCH = 32

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class EightBits:
    """A classifier's twin, and what both make of the same held-out frames.

    Args:
        right, float_right: how many of the n frames the twin names rightly, and the float32 classifier.
    """

    model: bytes
    right: int
    float_right: int
    n: int

    @property
    def holds(self) -> bool:
        """Whether the twin is accurate enough to be exported."""
        return self.float_right - self.right <= LOSS_MAX * self.n

    def describe(self) -> str:
        """Describe both accuracies, and whether the twin is exported."""
        verdict = "exported" if self.holds else f"left out: it may lose {LOSS_MAX:.1%}"
        accuracy, float_accuracy = self.right / self.n, self.float_right / self.n
        figures = f"accuracy {accuracy:.2%}, in float32 {float_accuracy:.2%} (validation, n = {self.n})"
        return f"in eight bits: {figures}; {verdict}"


def eight_bits(model: bytes, dataset: Dataset, see: Callable[[Split], Levels | Planes]) -> EightBits:
    """Make the twin, its ranges taken from training frames, and try both on validation frames.

    Args:
        see: what the classifier gets of pictures.
    """
    calibration, held_out = dataset.train.head(CALIBRATION_FRAMES), dataset.validation.head(TRIAL_FRAMES)
    twin, frames = to_int8(model, see(calibration)), see(held_out)
    right, float_right = (
        int((OnnxClassifier(each).logits(frames).argmax(1) == held_out.labels).sum()) for each in (twin, model)
    )
    return EightBits(twin, right, float_right, len(held_out))


def to_int8(model: bytes, frames: Levels | Planes) -> bytes:
    """A serving net of `trainer.export.onnx_graph` in eight bits, its ranges taken from training frames.

    Levels that fit go in as they are, one step a level: nothing is rounded. Larger ones, and coefficients, of which
    DC takes a thousand steps and most frequencies a few, stay in float32 until the stem has weighed them.
    """
    y, c = frames.y.numpy(), frames.c.numpy()
    fits = isinstance(frames, Levels) and max(np.abs(y).max(), np.abs(c).max()) <= LARGEST
    # Means stay as they are: exact, and in eight bits they take longer (a fifteenth of the whole net of 32 px).
    in_float = (MEANS,) if fits else (MEANS, *LEVELS, *STEM)
    return quantised(model, {"y": y, "c": c}, exact=LEVELS if fits else (), in_float=in_float)


def quantised(model: bytes, inputs: Inputs, exact: Collection[str] = (), in_float: Collection[str] = ()) -> bytes:
    """Any model of `trainer.export.onnx_writer` in eight bits.

    Args:
        inputs: by name, what ranges are taken from.
        exact: values that hold whole numbers of -128 to 127.
        in_float: nodes that stay as they are.
    """
    unit = {"scale": np.array(1, np.float32), "zero_point": np.array(LARGEST + 1, np.uint8)}
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        write_for_quantiser(model, source)
        quantize_static(
            source,
            target,
            _Batches(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(in_float),
            extra_options={"TensorQuantOverrides": {name: [unit] for name in exact}},
        )
        return target.read_bytes()


class _Batches:
    """Gives inputs in batches, as ONNX Runtime's quantiser asks for them."""

    def __init__(self, inputs: Inputs) -> None:
        self._batches = _slices(inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)


def _slices(inputs: Inputs) -> Iterator[dict[str, NDArray[Any]]]:
    for start in range(0, len(next(iter(inputs.values()))), BATCH):
        yield {name: values[start : start + BATCH] for name, values in inputs.items()}
