"""The value of a knob at which frames take exactly a byte budget, by bisection on measured bytes."""

import math
from collections.abc import Callable

from trainer.errors import BudgetError

BISECTIONS = 14


def bisect(bytes_at: Callable[[float], float], *, low: float, high: float, budget: float, tolerance: float) -> float:
    """The value of a knob at which frames take `budget` bytes.

    Args:
        bytes_at: bytes a frame at a value from `low` to `high`; grows with the value.
        tolerance: relative; how near is near enough to stop early.

    Raises:
        BudgetError: even the ends cannot reach it.
    """
    least, most = bytes_at(low), bytes_at(high)
    if not least <= budget <= most:
        raise BudgetError(budget, least, most)
    best, best_error = low, math.inf
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        measured = bytes_at(middle)
        error = abs(measured / budget - 1)
        if error < best_error:
            best, best_error = middle, error
        if error <= tolerance:
            break
        low, high = (low, middle) if measured > budget else (middle, high)
    return best
