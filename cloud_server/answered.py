"""The event that a micro-batch of frames was answered, and whoever observes it: metrics, the sampler, the fleet.

What answers frames knows no observer; `parts.py` puts them together. A new use of answered frames (drift, baselines,
probes, estimates) is one more observer and changes nothing on the frame's way.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from shared.bundle import Reference
from shared.bundle.coefficients import CoefficientStatistics
from shared.jpeg import TableSet
from shared.wire import Kind, Match

ORDINARY = frozenset({Kind.FRAME})
"""The kinds of frames that an observer is told of unless it asks for others."""
_log = structlog.get_logger()


class AnsweredFrame(NamedTuple):
    """One frame whose answer is stored.

    Args:
        device_id: the row of the device that sent it.
        sequence: the device's number for it.
        data: the JPEG as it came, its prefix included; an observer may keep it.
        scan_bytes: size of its entropy-coded data.
        label: what was answered, an index into `AnsweredFrames.labels`.
        confidence: the softmax's at its classifier's temperature, 0..1.
        is_counted: False of a device in quarantine: nothing may be learned or concluded from the frame.
        companion_of: a companion's: the sequence of the frame that it belongs to, answered or not.
    """

    device_id: int
    sequence: int
    data: bytes
    scan_bytes: int
    label: int
    confidence: float
    is_counted: bool
    companion_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredFrames:
    """Frames of one micro-batch and one kind that were answered for the first time; their answers are stored.

    Args:
        family: of every device in it.
        model: the bundle or fallback whose classifier answered.
        labels: the classifier's, in the order of its logits.
        match: how well the classifier fits the frames' tables.
        tables: the `tables` label of metrics.
        table_set: what reading the frames' `data` takes; None when each carries its own tables.
        answered_at: seconds since 1970.
        statistics: of the frames' coefficients, a row a frame; None when no observer needs them.
        kind: what all of them were sent for.
        reference: what the classifier's trainer measured, to judge them against; None: nothing.
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
    kind: Kind = Kind.FRAME
    reference: Reference | None = None


WantsStatistics = Callable[[str, Match, Sequence[int]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Somebody who is told of answered frames.

    Args:
        name: as logs and metrics call it.
        observe: runs on the event loop before the answers are given, so it must not wait or compute for long.
        wants_statistics: whether it needs the statistics of a micro-batch's coefficients, asked before a worker gets
            it: with the name of the bundle or fallback that will answer, how well that fits, and the rows of the
            devices of its ordinary frames that may count: not in quarantine, and numbered. None: never.
        kinds: of which frames it is told. Companions are no frames of the statistics: who wants them says so.
    """

    name: str
    observe: Callable[[AnsweredFrames], None]
    wants_statistics: WantsStatistics | None = None
    kinds: Set[Kind] = ORDINARY


class Observers:
    """Tells every observer of its kinds of frames; one that fails harms neither the answers nor the other observers.

    Args:
        count_fault: told the name of an observer that raised.
    """

    def __init__(self, observers: Iterable[Observer], count_fault: Callable[[str], None]) -> None:
        self._observers = tuple(observers)
        self._wants = [one.wants_statistics for one in self._observers if one.wants_statistics is not None]
        self._by_kind = {kind: tuple(one for one in self._observers if kind in one.kinds) for kind in Kind}
        self._count_fault = count_fault

    def want_statistics(self, model: str, match: Match, devices: Sequence[int]) -> bool:
        """Whether any observer needs the statistics of a micro-batch; asked once for each."""
        asked = [wants(model, match, devices) for wants in self._wants]
        return any(asked)

    def tell(self, answered: AnsweredFrames) -> None:
        """Tell all of them that are told of this kind, in order."""
        for observer in self._by_kind[answered.kind]:
            try:
                observer.observe(answered)
            except Exception as error:  # noqa: BLE001 - the frames have their answers; no observer is worth losing them
                self._count_fault(observer.name)
                _log.error("observer-failed", observer=observer.name, exc_info=error)
