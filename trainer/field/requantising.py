"""What a frame would have been under other tables, as far as the steps that it was sent with let us know. Pure.

A frame that was sent with step a says of each coefficient where it lies within a. Quantised again with a new step b it
becomes a level of b, but not always the level that the camera would have made of the picture: where a threshold of b
lies within an interval of a, the part of it on the threshold's other side goes wrong, by one level. That part is a / 2
at most of each b: a chance of a / 2b where coefficients are spread over many steps, a / 4b in the mean over ratios, and
none where b is an odd multiple of a, whose thresholds are a's own. The mean square error against the picture grows from
b^2 / 12 by a^2 / 4 at most, by a^2 / 12 in the mean.

**The rule**: frequency by frequency, b at least `FINE_ENOUGH` times a. Then the root mean square error of what the net
sees is at most 15 % above that of the camera's own frames (5 % in the mean), and at most one coefficient in six is off
by a level. Frequencies that do not allow it stay as they were sent, finer or coarser than the camera will send them:
nothing makes a coarse one finer. A frequency that is never coded (the mask) is set to zero always, since that needs no
step at all. The encoder's dead zone is applied; its rate-distortion optimisation is not, as it depends on neighbours.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.quantise import as_channels
from trainer.encoding.encodings import steps_of
from trainer.encoding.files import Encoding
from trainer.field.uploads import channels_of

FINE_ENOUGH = 3.0


@dataclass(frozen=True)
class Target:
    """The encoding that frames are brought to.

    Args:
        steps, rounding: float (3, 64), offsets in steps that are added before rounding down.
        is_dropped: bool (3, 64), true where the level is always zero.
    """

    steps: Tensor
    rounding: Tensor
    is_dropped: Tensor

    @classmethod
    def of(cls, encoding: Encoding) -> Self:
        """What cameras do with coefficients, but for rate-distortion optimisation."""
        settings = encoding.settings
        rounding = torch.from_numpy(settings.rounding.astype(np.float32))
        return cls(steps_of(encoding), rounding, torch.from_numpy(settings.zero_mask.copy()))


def is_simulated(sent: Tensor, target: Target) -> Tensor:
    """Where the target's steps can be simulated, bool (n, 3, 64).

    Args:
        sent: the steps that n frames were sent with, float (n, 3, 64).
    """
    return (target.steps >= FINE_ENOUGH * sent) | target.is_dropped


def requantised(frames: Planes, sent: Tensor, target: Target) -> Planes:
    """Frames as the target's cameras would have sent them, where that can be known, and else as they are.

    Args:
        frames: dequantised coefficients.
        sent: the steps that each was sent with, float (n, 3, 64).
    """
    known = channels_of(is_simulated(sent, target))
    steps, rounding, dropped = (as_channels(values) for values in (target.steps, target.rounding, target.is_dropped))
    y, c = (
        torch.where(is_known, _quantised(plane, step, offset, drop), plane)
        for plane, is_known, step, offset, drop in zip(
            (frames.y, frames.c), known, steps, rounding, dropped, strict=True
        )
    )
    return Planes(y, c)


def _quantised(plane: Tensor, step: Tensor, offset: Tensor, drop: Tensor) -> Tensor:
    levels = (plane.abs() / step + offset).floor()
    return torch.where(drop, 0.0, plane.sign() * levels * step)
