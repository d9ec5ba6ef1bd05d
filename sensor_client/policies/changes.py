"""Whether a picture differs from the one that was sent last: a rule on its lowest frequencies. Pure.

A picture is compared by its sketch: of each block of 8 x 8 luma samples of the frame to be, the mean and the three
lowest frequencies, before the bundle's tables quantise them, so that a threshold means the same with any bundle. First
the light is made alike: as much of the change as one brightness and one contrast for the whole picture explain, within
limits, does not count. Each block then has a difference: the root mean square, over its samples, of what changed in
these frequencies, in grey levels of 0 to 255. The picture's difference is the mean over the twentieth of its blocks
that changed most, one at least: something small that moves counts, and noise, which is in all blocks alike, is not
added up.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sensor_client.policies.orders import OnChange

LOW: Final = (0, 1, 8, 9)
"""The frequencies of a sketch in natural order: DC, and the lowest across, down and both."""
SAMPLES_ROOT: Final = 8.0
"""Of the 64 samples of a block: by Parseval, coefficients over this are root mean squares of samples (T.81 A.3.3)."""
MOST_CHANGED_SHARE: Final = 1 / 20
GAIN_LIMITS: Final = (0.8, 1.25)
OFFSET_LIMIT: Final = 20.0
"""Grey levels: a change of light beyond these limits is a change."""
BLACK, WHITE = -128.0, 1023 / 8
"""Means of blocks, less the 128 of the level shift (T.81 A.3.1), as far as a level of DC reaches."""
CLEAR: Final = 110.0
LEAST_CLEAR_SHARE: Final = 1 / 4
DOUBT: Final = 64.0
"""Squared grey levels: the variance of means of which a gain is half believed."""
STOPS_BELOW: Final = 0.5
"""Of the threshold: hysteresis, so that what hovers about it does not begin and end all the time."""

Sketch: TypeAlias = NDArray[np.int16]
"""int16 (64, rows, columns): coefficients of luma with steps of 1, of which LOW are used."""


class Reason(StrEnum):
    """Why a picture is sent."""

    FIRST = "first"
    """There is none to compare it with."""
    CHANGE = "change"
    """It differs, or what differed goes on."""
    STILL = "still"
    """What moved has stopped: the last picture of it."""
    KEEP_ALIVE = "keep-alive"
    """Nothing was sent for long."""


def difference(before: Sketch, after: Sketch) -> float:
    """How much two sketches of one geometry differ, in grey levels; see the module."""
    old, new = (each[list(LOW)].reshape(len(LOW), -1) / SAMPLES_ROOT for each in (before, after))
    gain, offset = _light(old[0], new[0])
    expected = gain * old
    expected[0] = np.clip(expected[0] + offset, BLACK, WHITE)
    blocks = np.sqrt(np.square(new - expected).sum(axis=0))
    most = max(1, round(MOST_CHANGED_SHARE * blocks.size))
    return float(np.partition(blocks, -most)[-most:].mean())


def reason_to_send(
    differs: float | None, *, is_moving: bool, seconds_since_sent: float, orders: OnChange
) -> Reason | None:
    """Why a picture is sent; None where it is not.

    Args:
        differs: from the picture sent last; None where there is none.
        is_moving: whether that one was sent for a change.
    """
    if differs is None:
        return Reason.FIRST
    if differs >= orders.threshold * (STOPS_BELOW if is_moving else 1):
        return Reason.CHANGE
    if is_moving:
        return Reason.STILL
    return Reason.KEEP_ALIVE if seconds_since_sent >= orders.keep_alive_seconds else None


@dataclass(frozen=True, eq=False)
class Sent:
    """The picture that was sent last.

    Args:
        view: what the sketches were made of; those of another view are not compared.
    """

    view: object
    sketch: Sketch
    at_seconds: float
    is_moving: bool


@dataclass(frozen=True, eq=False)
class Looked:
    """A picture that was compared.

    Args:
        differs: by how many grey levels; None where there was none to compare it with.
        reason: why it is sent; None where it is not.
        then: what is to be remembered once it is sent.
    """

    differs: float | None
    reason: Reason | None
    then: Sent


def look(last: Sent | None, view: object, sketch: Sketch, at_seconds: float, orders: OnChange) -> Looked:
    """Compare a picture with the one sent last."""
    if last is not None and last.view != view:
        last = None
    differs = None if last is None else difference(last.sketch, sketch)
    was_moving = last is not None and last.is_moving
    since_seconds = 0.0 if last is None else at_seconds - last.at_seconds
    reason = reason_to_send(differs, is_moving=was_moving, seconds_since_sent=since_seconds, orders=orders)
    is_moving = was_moving if reason is None else reason is Reason.CHANGE
    return Looked(differs, reason, Sent(view, sketch, at_seconds, is_moving))


def _light(old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[float, float]:
    """The gain and the offset, within limits, that best turn the old means into the new ones.

    Least squares, twice: the second time without the half that the first explains worst, which may have changed. Means
    near black and white say little of the light: samples are cut off there. A gain is believed as far as the means that
    show it differ among themselves.
    """
    clear = (np.abs(old) < CLEAR) & (np.abs(new) < CLEAR)
    if np.mean(clear) >= LEAST_CLEAR_SHARE:
        old, new = old[clear], new[clear]
    near = np.ones(old.shape, np.bool_)
    for _ in range(2):
        x, y = old[near], new[near]
        shared = float(np.mean((x - x.mean()) * (y - y.mean())))
        gain = float(np.clip((shared + DOUBT) / (float(np.var(x)) + DOUBT), *GAIN_LIMITS))
        offset = float(np.clip(np.median(y - gain * x), -OFFSET_LIMIT, OFFSET_LIMIT))
        errors = np.abs(gain * old + offset - new)
        near = errors <= np.median(errors)
    return gain, offset
