"""One version under watch: its window, its bets, and for each signal whether it drifts and since when."""

from dataclasses import dataclass

from cloud_server.quality.psi import Psi
from cloud_server.quality.reference_bins import ReferenceBins
from cloud_server.quality.sequential import Detector
from shared.bundle.signals import Signal, Signals

QUIET_FRAMES = 2_000
"""A drift is over once so many frames brought no further alarm. One that lasts raises an alarm again and again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A signal began to drift, or does so no more.

    Args:
        at: seconds since 1970.
        score: the index of its window, if there are frames enough.
    """

    signal: Signal
    has_begun: bool
    at: float
    score: float | None


@dataclass(frozen=True, slots=True)
class SignalState:
    """How a signal stands.

    Args:
        score: the index of its window; None before there are frames enough.
        alarms: drifts that began.
        since: when the one that lasts began, in seconds since 1970; None: none does.
    """

    signal: Signal
    score: float | None
    alarms: int
    since: float | None


class Watch:
    """What is remembered of the frames of one version in one process; a new process begins afresh."""

    def __init__(self, reference: ReferenceBins) -> None:
        self._reference = reference
        self._psi = Psi(reference)
        self._detector = Detector(reference)
        self.frames = 0
        self._alarms = [0] * len(reference.signals)
        self._since: list[float | None] = [None] * len(reference.signals)
        self._last_alarm = [0] * len(reference.signals)

    def take(self, signals: Signals, at: float) -> list[Change]:
        """Take in frames, the oldest first, answered at about this time; what began or ended with them."""
        bins = self._reference.place(signals)
        alarms = self._detector.take(bins)
        self._psi.take(bins)
        begun = {alarm.signal for alarm in alarms if self._since[alarm.signal] is None}
        for alarm in alarms:
            self._last_alarm[alarm.signal] = self.frames + alarm.row
        self.frames += len(bins)
        for index in begun:
            self._since[index] = at
            self._alarms[index] += 1
        ended = self._quiet()
        for index in ended:
            self._since[index] = None
        if not begun and not ended:
            return []
        scores = self._scores()
        changed = [(index, index in begun) for index in sorted(begun ^ ended)]
        return [Change(self._reference.signals[index], has_begun, at, scores[index]) for index, has_begun in changed]

    def states(self) -> list[SignalState]:
        """Every signal of the reference."""
        figures = zip(self._reference.signals, self._scores(), self._alarms, self._since, strict=True)
        return [SignalState(*each) for each in figures]

    def _quiet(self) -> set[int]:
        return {
            index
            for index, since in enumerate(self._since)
            if since is not None and self.frames - self._last_alarm[index] > QUIET_FRAMES
        }

    def _scores(self) -> list[float | None]:
        scores = self._psi.scores
        return [None] * len(self._reference.signals) if scores is None else list(scores.tolist())
