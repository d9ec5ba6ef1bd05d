"""Which of a bundle's two classifiers serves: a rule over what both did on the same golden frames."""

from dataclasses import dataclass
from enum import StrEnum

ACCURACY_LOSS_MAX = 0.01
"""Share of the golden frames that INT8 may get wrong beyond those that FP32 does."""
TIME_GAIN_MIN = 0.05
"""INT8 must save at least this share of FP32's time, or it is not worth a second look."""


class Precision(StrEnum):
    """What a classifier computes in."""

    FP32 = "fp32"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a classifier did: how many of `frames` golden frames it named rightly, processor seconds a frame."""

    correct: int
    frames: int
    seconds: float


def precision_to_serve(fp32: Trial, int8: Trial) -> Precision:
    """INT8 only where it is faster by `TIME_GAIN_MIN` and loses at most `ACCURACY_LOSS_MAX` of the frames."""
    is_faster = int8.seconds <= fp32.seconds * (1 - TIME_GAIN_MIN)
    is_as_good = fp32.correct - int8.correct <= ACCURACY_LOSS_MAX * fp32.frames
    return Precision.INT8 if is_faster and is_as_good else Precision.FP32
