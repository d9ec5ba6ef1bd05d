"""Lambda, the price of a byte, climbs or falls until a mean frame takes the byte budget."""

import math


class DualAscent:
    """Damped ascent on log lambda, the price of a byte (loss a byte).

    The gradient of the dual is the overshoot; it is smoothed, and its trend is added, so that lambda settles instead of
    swinging around the budget.

    Args:
        budget: bytes a frame to reach.
        price: first lambda.
        gain: change of log lambda a step at 100 % overshoot.
        damping: weight of the overshoot's trend, in steps of look-ahead.
        smoothing: share of the past in the running overshoot.
    """

    def __init__(
        self, *, budget: float, price: float, gain: float = 0.05, damping: float = 10, smoothing: float = 0.8
    ) -> None:
        self.budget = budget
        self.price = price
        self._gain = gain
        self._damping = damping
        self._smoothing = smoothing
        self._overshoot: float | None = None

    def update(self, measured: float) -> float:
        """Take in one batch's bytes a frame; returns the new lambda."""
        overshoot = math.log(max(measured, 1e-6) / self.budget)
        before = overshoot if self._overshoot is None else self._overshoot
        self._overshoot = self._smoothing * before + (1 - self._smoothing) * overshoot
        trend = self._overshoot - before
        move = self._gain * (self._overshoot + self._damping * trend)
        self.price *= math.exp(min(max(move, -0.2), 0.2))
        return self.price

    def state(self) -> dict[str, float | None]:
        """What a checkpoint must hold to go on."""
        return {"price": self.price, "overshoot": self._overshoot}

    def restore(self, state: dict[str, float | None]) -> None:
        """Go on from `state()`."""
        assert state["price"] is not None
        self.price, self._overshoot = state["price"], state["overshoot"]
