"""What the AC levels of one block cost, and the least they could cost: every choice considered.

Levels and coefficients are those of the 63 AC positions in zig-zag order; lengths are bits of a code by its symbol.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

ZERO_RUN, BLOCK_END = 0xF0, 0x00


@dataclass(frozen=True)
class Problem:
    """A block's coefficients, and what weighs distortion against bits."""

    coefficients: Sequence[float]
    steps: Sequence[int]
    weights: Sequence[float]
    lengths: dict[int, int]
    multiplier: float

    def distortion(self, position: int, level: int) -> float:
        """The weighted squared error of one coefficient."""
        error = self.coefficients[position] - self.steps[position] * level
        return self.weights[position] * error * error

    def bits(self, run: int, level: int) -> int:
        """The bits of a level behind a run of zeros: codes and value (T.81 figure F.2)."""
        size = abs(level).bit_length()
        return run // 16 * self.lengths[ZERO_RUN] + self.lengths[run % 16 << 4 | size] + size

    def cost(self, levels: Sequence[int]) -> float:
        """The weighted distortion plus the multiplier times the bits."""
        bits = run = 0
        for level in levels:
            if level == 0:
                run += 1
            else:
                bits += self.bits(run, level)
                run = 0
        if run:
            bits += self.lengths[BLOCK_END]
        return sum(self.distortion(p, level) for p, level in enumerate(levels)) + self.multiplier * bits

    def least_cost(self, levels: Sequence[int]) -> float:
        """The least cost of all ways to keep each level, lower its magnitude by one, or make it zero."""
        dropped = [0.0]  # distortion of all positions before, if all of them are zero
        for position in range(len(levels)):
            dropped.append(dropped[-1] + self.distortion(position, 0))
        ways = [(0, 0.0)]  # (position behind the last level kept, least cost up to there)
        best = dropped[-1] + self.multiplier * self.lengths[BLOCK_END]
        for position, level in enumerate(levels):
            if level == 0:
                continue
            least = inf
            for candidate in {level, level - (1 if level > 0 else -1)} - {0}:
                own = self.distortion(position, candidate)
                for start, cost in ways:
                    between = dropped[position] - dropped[start]
                    rate = self.multiplier * self.bits(position - start, candidate)
                    least = min(least, cost + between + rate + own)
            ways.append((position + 1, least))
            end = self.multiplier * self.lengths[BLOCK_END] if position + 1 < len(levels) else 0
            best = min(best, least + dropped[-1] - dropped[position + 1] + end)
        return best
