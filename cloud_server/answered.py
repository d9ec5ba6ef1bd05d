"""The event that a micro-batch of frames was answered, and whoever observes it: metrics, the sampler, the fleet.

What answers frames knows no observer; `app.py` puts them together. A new use of answered frames (drift, baselines,
probes, estimates) is one more observer and changes nothing on the frame's way.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from shared.jpeg import TableSet
from shared.wire import Match

_log = structlog.get_logger()


class AnsweredFrame(NamedTuple):
    """One frame whose answer is stored.

    Args:
        device_id: the row of the device that sent it.
        sequence: the device's number for it.
        data: the JPEG as it came, its prefix included; an observer may keep it.
        scan_bytes: size of its entropy-coded data.
        label: what was answered, an index into `AnsweredFrames.labels`.
        confidence: the softmax's, 0..1.
    """

    device_id: int
    sequence: int
    data: bytes
    scan_bytes: int
    label: int
    confidence: float


class CoefficientStatistics(NamedTuple):
    """Means over the blocks of each frame, by frequency: of DC as it is, of every other frequency its absolute value.

    The unit is what the classifier read: levels under its bundle's tables, or dequantised coefficients.

    Args:
        y: float32 (n, 64), a row a frame, natural order.
        c: float32 (n, 2, 64), Cb and Cr.
    """

    y: npt.NDArray[np.float32]
    c: npt.NDArray[np.float32]

    def of(self, frames: list[int]) -> "CoefficientStatistics":
        """The rows of these frames."""
        return CoefficientStatistics(self.y[frames], self.c[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredFrames:
    """Frames of one micro-batch that were answered for the first time; their answers are stored.

    Args:
        family: of every device in it.
        model: the bundle or fallback whose classifier answered.
        labels: the classifier's, in the order of its logits.
        match: how well the classifier fits the frames' tables.
        tables: the `tables` label of metrics.
        table_set: what reading the frames' `data` takes; None when each carries its own tables.
        answered_at: seconds since 1970.
        statistics: of the frames' coefficients, a row a frame; None when no observer needs them.
    """

    family: str
    model: str
    labels: tuple[str, ...]
    match: Match
    tables: str
    table_set: TableSet | None
    answered_at: float
    frames: tuple[AnsweredFrame, ...]
    statistics: CoefficientStatistics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Somebody who is told of answered frames.

    Args:
        name: as logs and metrics call it.
        observe: runs on the event loop before the answers are given, so it must not wait or compute for long.
        needs_statistics: whether the workers shall compute the coefficients' statistics.
    """

    name: str
    observe: Callable[[AnsweredFrames], None]
    needs_statistics: bool = False


class Observers:
    """Tells every observer; one that fails harms neither the answers nor the other observers.

    Args:
        count_fault: told the name of an observer that raised.
    """

    def __init__(self, observers: Iterable[Observer], count_fault: Callable[[str], None]) -> None:
        self._observers = tuple(observers)
        self._count_fault = count_fault

    @property
    def need_statistics(self) -> bool:
        """Whether any observer needs the coefficients' statistics."""
        return any(observer.needs_statistics for observer in self._observers)

    def tell(self, answered: AnsweredFrames) -> None:
        """Tell all of them, in order."""
        for observer in self._observers:
            try:
                observer.observe(answered)
            except Exception as error:  # noqa: BLE001 - the frames have their answers; no observer is worth losing them
                self._count_fault(observer.name)
                _log.error("observer-failed", observer=observer.name, exc_info=error)
