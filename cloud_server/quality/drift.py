"""Watches answered frames for drift, version by version: told of them as an observer, tells of what begins and ends.

A frame counts if its levels are the classifier's own (`match: exact`), its device is not in quarantine, and it is
chosen (`choosing`). What is watched is what this process answers; each process has a watch of its own, which begins
afresh when the process does, and saves every minute how its signals stand, so that every process can show all of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import structlog

from cloud_server.answered import AnsweredFrames
from cloud_server.drift_metrics import DriftFigures, DriftMetrics
from cloud_server.quality.choosing import Choosing
from cloud_server.quality.reference_bins import ReferenceBins
from cloud_server.quality.watch import Change, SignalState, Watch
from cloud_server.storage.database import Database
from cloud_server.storage.rows import drift as rows
from cloud_server.storage.rows.drift import DriftRow
from shared.bundle import Drift as Reference
from shared.bundle.coefficients import CoefficientStatistics
from shared.bundle.signals import signals_of
from shared.errors import DctwireError
from shared.wire import Match

VERSIONS_MAX = 20
"""More are not watched at once; the one without frames for the longest time makes room."""
UNKNOWN_MAX = 200
BLOCK_FRAMES = 32
"""So many chosen frames are waited for, or until the next `follow`, before they are looked at together."""
SAVE_SECONDS = 60.0
LATE_SECONDS = 3 * SAVE_SECONDS
RETRY_SECONDS = 60.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Version:
    """A bundle by its place: the `tables` label of metrics is `v` and its counter."""

    family: str
    counter: int

    @classmethod
    def named(cls, name: str) -> "Version":
        """The version of a bundle's name."""
        family, _, counter = name.rpartition("/")
        return cls(family, int(counter))

    @property
    def name(self) -> str:
        """The bundle's."""
        return f"{self.family}/{self.counter}"

    @property
    def tables(self) -> str:
        """The label of metrics."""
        return f"v{self.counter}"


@dataclass(frozen=True, slots=True)
class DriftChange:
    """A signal of a version began to drift in this process, or does so no more."""

    version: Version
    change: Change


@dataclass(frozen=True, slots=True)
class Standing:
    """How a signal of a version stands in one process.

    Args:
        frames: that the process has watched of the version.
    """

    version: Version
    state: SignalState
    frames: int


@dataclass(eq=False, slots=True)
class _Watched:
    version: Version
    watch: Watch
    statistics: list[CoefficientStatistics] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    classes: int = 0
    answered_at: float = 0.0


class Drift:
    """The watches of this process.

    Args:
        reference_of: what the trainer measured for a bundle by its name, if anything; may raise what reading a blob
            may.
        replica: this process's id.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        database: Database,
        reference_of: Callable[[str], Awaitable[Reference | None]],
        metrics: DriftMetrics,
        choosing: Choosing,
        replica: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._reference_of = reference_of
        self._metrics = metrics
        self._choosing = choosing
        self._replica = replica
        self._monotonic = monotonic
        self._watched: dict[str, _Watched] = {}  # the one without frames for the longest time first
        self._unknown: dict[str, float] = {}  # bundles without a watch, and when to look for their reference
        self._told: list[Callable[[DriftChange], None]] = []
        self._saved_at = float("-inf")

    def tell(self, told: Callable[[DriftChange], None]) -> None:
        """Have this called, on the event loop, whenever a drift begins or ends in this process."""
        self._told.append(told)

    def wants(self, model: str, match: Match, devices: Sequence[int]) -> bool:
        """Whether the statistics of a micro-batch are needed, whose frames are of these devices."""
        if match is not Match.EXACT:
            return False
        if model not in self._watched:
            self._note_unknown(model)
            return False
        return self._choosing.wants(model, devices)

    def observe(self, answered: AnsweredFrames) -> None:
        """Take in answered frames whose statistics were computed."""
        watched = self._watched.get(answered.model)
        if answered.statistics is None or watched is None or answered.match is not Match.EXACT:
            return
        chosen = [
            row
            for row, frame in enumerate(answered.frames)
            if frame.is_counted and self._choosing.takes(frame.device_id)
        ]
        if not chosen:
            return
        self._watched[answered.model] = self._watched.pop(answered.model)
        watched.statistics.append(answered.statistics.of(chosen))
        watched.confidences += [answered.frames[row].confidence for row in chosen]
        watched.labels += [answered.frames[row].label for row in chosen]
        watched.classes, watched.answered_at = len(answered.labels), answered.answered_at
        if len(watched.labels) >= BLOCK_FRAMES:
            self._look(watched)

    async def follow(self) -> None:
        """Look at frames that still wait, find the references of new bundles, and once a minute save how all stands.

        Raises:
            StorageError: the database does not answer.
        """
        for watched in self._watched.values():
            self._look(watched)
        for model in [name for name, due in self._unknown.items() if self._monotonic() >= due]:
            await self._find(model)
        if self._monotonic() - self._saved_at >= SAVE_SECONDS:
            await self.save()

    async def save(self) -> None:
        """Save how all signals stand here.

        Raises:
            StorageError: the database does not answer; the next call saves it.
        """
        saving = [
            DriftRow(
                one.version.family,
                one.version.counter,
                one.state.signal.value,
                one.state.score,
                one.frames,
                one.state.alarms,
                one.state.since,
            )
            for one in self.standing()
        ]
        await self._database.write(partial(rows.save, replica=self._replica, rows=saving))
        self._saved_at = self._monotonic()

    def standing(self) -> Sequence[Standing]:
        """How every signal of every watched version stands in this process, by version."""
        watched = sorted(self._watched.values(), key=lambda one: (one.version.family, one.version.counter))
        return [Standing(one.version, state, one.watch.frames) for one in watched for state in one.watch.states()]

    async def everywhere(self) -> Sequence[tuple[str, DriftRow]]:
        """How signals stand in every process that saved it lately, with each process's id.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.lately, within_seconds=LATE_SECONDS))

    def figures(self) -> list[DriftFigures]:
        """What metrics tell of this process."""
        return [
            DriftFigures(
                one.version.family, one.version.tables, one.state.signal.value, one.state.score, one.state.since
            )
            for one in self.standing()
        ]

    def _note_unknown(self, model: str) -> None:
        """Have the next `follow` look for a reference; what was looked for long ago makes room."""
        if model not in self._unknown:
            if len(self._unknown) >= UNKNOWN_MAX:
                del self._unknown[next(iter(self._unknown))]
            self._unknown[model] = float("-inf")

    async def _find(self, model: str) -> None:
        try:
            reference = await self._reference_of(model)
        except (DctwireError, OSError) as error:
            _log.warning("drift-reference-unreadable", model=model, error=str(error))
            self._unknown[model] = self._monotonic() + RETRY_SECONDS
            return
        if reference is None:  # nothing was measured of it, and nothing ever will be
            self._unknown[model] = float("inf")
            return
        self._unknown.pop(model, None)
        self._begin(model, ReferenceBins.of(reference))

    def _begin(self, model: str, reference: ReferenceBins) -> None:
        if len(self._watched) >= VERSIONS_MAX:
            oldest = next(iter(self._watched))
            del self._watched[oldest]
            self._choosing.forget_version(oldest)
        version = Version.named(model)
        self._watched[model] = _Watched(version, Watch(reference))
        self._metrics.expect_drift(version.family, version.tables, [signal.value for signal in reference.signals])
        _log.info("drift-watched", model=model, held_out_frames=reference.n, signals=len(reference.signals))

    def _look(self, watched: _Watched) -> None:
        if not watched.labels:
            return
        statistics = CoefficientStatistics(*map(np.concatenate, zip(*watched.statistics, strict=True)))
        confidences, labels = np.array(watched.confidences, np.float32), np.array(watched.labels)
        watched.statistics, watched.confidences, watched.labels = [], [], []
        version = watched.version
        self._metrics.count_drift_frames(version.family, version.tables, len(labels))
        signals = signals_of(statistics, confidences, labels, watched.classes)
        for change in watched.watch.take(signals, watched.answered_at):
            self._announce(DriftChange(version, change))

    def _announce(self, changed: DriftChange) -> None:
        version, change = changed.version, changed.change
        if change.has_begun:
            self._metrics.count_drift(version.family, version.tables, change.signal.value)
        log = _log.warning if change.has_begun else _log.info
        name = "drift-began" if change.has_begun else "drift-ended"
        log(name, family=version.family, tables=version.tables, signal=change.signal.value, score=change.score)
        for told in self._told:
            told(changed)
