"""INT8 serves only where it is faster and as good, on made-up trials."""

import pytest

from cloud_server.inference.precision import Precision, Trial, precision_to_serve


@pytest.mark.parametrize(
    ("correct", "seconds", "served"),
    [
        (400, 0.5, Precision.INT8),
        (395, 0.5, Precision.INT8),  # 5 of 500 fewer: just what may be lost
        (394, 0.5, Precision.FP32),
        (410, 0.5, Precision.INT8),
        (400, 0.95, Precision.INT8),
        (400, 0.97, Precision.FP32),
        (400, 2.0, Precision.FP32),
        (410, 2.0, Precision.FP32),
    ],
)
def test_int8_serves_only_where_it_is_faster_and_as_good(correct: int, seconds: float, served: Precision) -> None:
    fp32 = Trial(correct=400, frames=500, seconds=1.0)
    assert precision_to_serve(fp32, Trial(correct=correct, frames=500, seconds=seconds)) is served
