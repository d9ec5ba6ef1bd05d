"""Encodings made of quantisation steps, and brought to a byte budget on real streams."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.jpeg import TableSet
from trainer.data import Split
from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.quantise import LARGEST, as_channels
from trainer.diff_jpeg.transform import by_component
from trainer.encoding import streams
from trainer.encoding.bisection import bisect
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.errors import BudgetError

BUDGET_TOLERANCE = 0.002  # relative; the promise is 2 %, the rest is left to the difference between splits
ROOM = math.log(2)  # beyond the factors that make all steps the finest or the coarsest: rounding has no say there
QUALITIES = (1.0, 100.0)

SettingsRule = Callable[[NDArray[np.float64]], EncoderSettings]  # of whole steps (3, 64)


@dataclass(frozen=True)
class Pictures:
    """What encodings at a budget are found on.

    Args:
        fit_on: training pictures the Huffman tables are fitted to.
        measure_on: held-out pictures whose bytes count.
    """

    fit_on: Split
    measure_on: Split

    def fitted(self, encoding: Encoding) -> Encoding:
        """The encoding with Huffman tables fitted to the training pictures."""
        return streams.with_fitted_huffman(encoding, self.fit_on)

    def frame_bytes(self, encoding: Encoding) -> float:
        """Mean scan bytes of a held-out frame under fitted Huffman tables."""
        return float(np.mean(streams.scan_bytes(self.fitted(encoding), self.measure_on.pixels)))

    def check_reachable(self, budget: float) -> None:
        """Refuse a budget that not even the coarsest (all 255) or the finest tables (all 1) can reach.

        Raises:
            BudgetError: the budget lies outside what these tables can reach.
        """
        highest, lowest = (self.frame_bytes(of_steps(torch.full((3, 64), step))) for step in (1.0, 255.0))
        if not lowest <= budget <= highest:
            raise BudgetError(budget, lowest, highest)


@dataclass(frozen=True)
class TaskRule:
    """Encoder settings from what the task feels.

    Args:
        energy: gradient energy of the loss by frequency, float (3, 64), any scale.
        rdo_multiplier, dead_zone: see `trainer.recipes.recipe.Rules`.
        mask: bool (3, 64), true where nothing is ever coded.
    """

    energy: NDArray[np.float64]
    rdo_multiplier: float
    dead_zone: float
    mask: NDArray[np.bool_]

    def __call__(self, steps: NDArray[np.float64]) -> EncoderSettings:
        worth = self.energy * steps**2
        worth /= np.exp(np.log(worth).mean())
        rounding = 0.5 - self.dead_zone * np.minimum(1, worth**-0.5)
        weights = worth / steps**2 / self.rdo_multiplier if self.rdo_multiplier else None
        return EncoderSettings.nearest(rounding, self.mask, weights)


def plain(_steps: NDArray[np.float64]) -> EncoderSettings:
    """Encoder settings that round to the nearest level and do nothing else."""
    return EncoderSettings()


def rdo_rule(multiplier: float) -> SettingsRule:
    """Rate-distortion optimised quantisation where a squared step is worth the same at all frequencies; 0: none."""
    if not multiplier:
        return plain
    return lambda steps: EncoderSettings.nearest(weights=1 / (multiplier * steps**2))


def at_budget(steps: Tensor, budget: float, pictures: Pictures, rule: SettingsRule = plain) -> Encoding:
    """The common multiple of steps (3, 64) whose true scans take `budget` bytes a frame; Huffman tables fitted.

    Multiples reach from tables that are 1 everywhere to tables that are 255 everywhere, as `check_reachable` promises.

    Raises:
        BudgetError: no multiple reaches it.
    """

    def encoding(log_divisor: float) -> Encoding:
        return of_steps(steps * math.exp(-log_divisor), rule)

    coarsest, finest = math.log(float(steps.min()) / LARGEST) - ROOM, math.log(float(steps.max())) + ROOM
    return _found(encoding, coarsest, finest, budget, pictures)


def standard_at_budget(budget: float, pictures: Pictures, rule: SettingsRule = plain) -> Encoding:
    """Annex K's tables of the IJG quality (a real number) that takes `budget` bytes; Huffman tables fitted.

    Raises:
        BudgetError: no quality does.
    """
    return _found(lambda quality: of_standard(quality, rule), *QUALITIES, budget, pictures)


def of_standard(quality: float, rule: SettingsRule = plain) -> Encoding:
    """Annex K's tables of an IJG quality, with Annex K's Huffman tables."""
    tables = TableSet.standard(quality)
    return Encoding(tables, rule(np.array([list(table) for table in tables.quant], np.float64)))


def of_steps(steps: Tensor, rule: SettingsRule = plain) -> Encoding:
    """The nearest tables the wire can carry to steps (3, 64), with Annex K's Huffman tables until fitted ones come."""
    whole = steps.detach().cpu().round().clamp(1, LARGEST)
    quant = tuple(bytes(table) for table in whole.to(torch.uint8).tolist())
    return Encoding(TableSet.standard().with_quant(quant), rule(whole.double().numpy()))


def steps_of(encoding: Encoding) -> Tensor:
    """Quantisation steps, float (3, 64)."""
    return torch.tensor([list(table) for table in encoding.tables.quant], dtype=torch.float32)


def dequantised(levels: Planes, steps: Tensor) -> Planes:
    """Levels times steps (3, 64)."""
    y, c = as_channels(steps)
    return Planes(levels.y * y, levels.c * c)


def rare(encoding: Encoding, pictures: Pictures, share: float) -> NDArray[np.bool_]:
    """AC frequencies that fewer than this share of training blocks code, bool (3, 64)."""
    planes = streams.quantise(encoding, pictures.fit_on).planes(slice(None))
    luma = (planes.y != 0).float().mean((0, 2, 3))[None]
    chroma = (by_component(planes.c) != 0).float().mean((0, 3, 4))
    is_rare: NDArray[np.bool_] = (torch.cat([luma, chroma]) < share).numpy()
    is_rare[:, 0] = False
    return is_rare


def _found(
    encoding: Callable[[float], Encoding], low: float, high: float, budget: float, pictures: Pictures
) -> Encoding:
    knob = bisect(
        lambda value: pictures.frame_bytes(encoding(value)),
        low=low,
        high=high,
        budget=budget,
        tolerance=BUDGET_TOLERANCE,
    )
    return pictures.fitted(encoding(knob))
