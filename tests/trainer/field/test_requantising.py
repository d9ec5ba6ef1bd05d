"""Other tables are simulated where an upload's own steps tell enough, and the error of it is what the rule says."""

import numpy as np
import pytest
import torch

from trainer.data import SplitName, synthetic
from trainer.diff_jpeg import Planes, coefficients
from trainer.encoding import streams
from trainer.encoding.encodings import dequantised, of_steps, steps_of
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.encoding.random_tables import quantised
from trainer.field.requantising import FINE_ENOUGH, Target, is_simulated, requantised

PICTURES = synthetic.generate(SplitName.TRAIN, 256, size=32, seed=5)
ORIGINAL = coefficients(torch.from_numpy(PICTURES.pixels))
COARSE = of_steps(torch.full((3, 64), 24.0))


def sent_with(step: float) -> tuple[Planes, torch.Tensor]:
    """The pictures as frames with this step everywhere, and these steps."""
    steps = torch.full((len(PICTURES), 3, 64), step)
    return quantised(ORIGINAL, steps), steps


def rms(error: torch.Tensor) -> float:
    return float(error.square().mean().sqrt())


def frames_of(encoding: Encoding) -> Planes:
    """What its cameras send."""
    return dequantised(streams.quantise(encoding, PICTURES).planes(slice(None)), steps_of(encoding))


@pytest.mark.parametrize("step", [8.0, 7.0, 6.0, 5.0, 4.0, 2.0])
def test_the_error_of_simulated_frames_is_within_what_the_rule_says(step: float) -> None:
    sent, steps = sent_with(step)
    simulated, real = requantised(sent, steps, Target.of(COARSE)), frames_of(COARSE)
    # Of coefficients that are spread over steps; the many near zero stay zero either way, and would hide the error.
    spread = ORIGINAL.y.abs() > 24
    noise = rms((simulated.y - ORIGINAL.y)[spread]) / rms((real.y - ORIGINAL.y)[spread])
    other = float(((simulated.y - real.y).abs() > 1)[spread].float().mean())
    assert noise < (1 + 3 * (step / 24) ** 2) ** 0.5 + 0.02
    assert other < step / 48 + 0.02
    assert float((simulated.y - real.y).abs().max()) <= 24.001
    if step == 8:  # an odd multiple: thresholds of the one are thresholds of the other
        assert other < 0.01
    if step == 6:  # an even one: each threshold in the middle of an interval, where it is worst
        assert other > 0.08
        assert noise > 1.04


def test_steps_that_are_not_fine_enough_stay_what_they_are() -> None:
    for step in (24.0 / FINE_ENOUGH + 1, 24.0, 40.0):
        sent, steps = sent_with(step)
        after = requantised(sent, steps, Target.of(COARSE))
        assert torch.equal(after.y, sent.y)
        assert torch.equal(after.c, sent.c)


def test_each_frequency_is_judged_by_itself() -> None:
    sent, steps = sent_with(8.0)
    target = torch.full((3, 64), 13.0)
    target[0, 5] = target[2, 7] = 24.0
    after = requantised(sent, steps, Target.of(of_steps(target)))
    changed = [int(index) for index in (after.y != sent.y).any(0).flatten(1).any(1).nonzero()]
    assert changed == [5]
    changed = [int(index) for index in (after.c != sent.c).any(0).flatten(1).any(1).nonzero()]
    assert changed == [64 + 7]
    assert int(is_simulated(steps, Target.of(of_steps(target)))[0].sum()) == 2


def test_what_is_never_coded_is_zero_and_the_dead_zone_is_the_encoders() -> None:
    mask = np.zeros((3, 64), np.bool_)
    mask[0, 9] = True
    encoding = Encoding(COARSE.tables, EncoderSettings.nearest(0.25, mask))
    sent, steps = sent_with(1.0)  # as good as originals
    after, real = requantised(sent, steps, Target.of(encoding)), frames_of(encoding)
    assert not after.y[:, 9].any()
    assert float((after.y != real.y).float().mean()) < 0.01
    sent, steps = sent_with(200.0)
    assert not requantised(sent, steps, Target.of(encoding)).y[:, 9].any()
