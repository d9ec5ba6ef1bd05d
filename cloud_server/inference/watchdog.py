"""Classifiers that do not come to an end: noticed, stopped, kept away from threads, and tried again later.

ONNX Runtime can be asked to stop between two operators. A thread inside one operator cannot be stopped at all: it is
given up, and another one takes its place. docs/adr/0029-classifiers-are-watched.md has the reasons.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import structlog

from cloud_server.errors import ClassifierFaultError, ClassifierOverdueError
from cloud_server.inference.classifier import Attempt
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Lane
from cloud_server.inference.waiting import WaitingFrame
from cloud_server.metrics import Metrics
from cloud_server.storage.witness import Facts
from shared.errors import DctwireError

STOPS_MAX = 3
"""A classifier is unloaded when it had to be stopped so often within `STOPS_WITHIN_SECONDS`."""
STOPS_WITHIN_SECONDS = 600.0
RETURN_SECONDS = 2.0
"""How long a run may take to end once it was told to stop; its thread is lost then."""
AGAIN_FIRST_SECONDS = 30.0
"""How long a classifier is left alone that was unloaded; twice as long each time, up to `AGAIN_MAX_SECONDS`."""
AGAIN_MAX_SECONDS = 600.0
BLAMED_MAX = 10_000
"""Frames that are remembered because a classifier did not come to an end with them; 0.2 KiB each."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """When a classifier that runs is overdue, and when it is stopped, in seconds since it began."""

    overdue_seconds: float
    max_seconds: float

    @property
    def look_seconds(self) -> float:
        """How often to look: often enough to be late by a quarter at most."""
        return min(0.25, self.overdue_seconds / 4)


class Stage(Enum):
    """How a run stands: RUNNING within its time, OVERDUE, STOPPED and soon back, or LOST with its thread."""

    RUNNING = "running"
    OVERDUE = "overdue"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(slots=True, eq=False)
class Run:
    """A micro-batch that a thread has; `since`, on perf_counter's clock, is when it came to its stage."""

    lane: Lane
    batch: Sequence[WaitingFrame]
    submitted: float
    attempt: Attempt = field(default_factory=Attempt)
    stage: Stage = Stage.RUNNING
    since: float = 0.0
    is_replaced: bool = False

    @property
    def is_given_up(self) -> bool:
        """Whether its frames have been answered already."""
        return self.stage in (Stage.STOPPED, Stage.LOST)


def next_stage(run: Run, now: float, limits: WatchLimits) -> Stage:
    """The stage that a run comes to, one at a time: who was not looked at for long is not stopped at the first look."""
    if run.stage is Stage.RUNNING:
        is_overdue = run.attempt.began is not None and now - run.attempt.began >= limits.overdue_seconds
        return Stage.OVERDUE if is_overdue else Stage.RUNNING
    if run.stage is Stage.OVERDUE:
        return Stage.STOPPED if now - run.since >= limits.max_seconds - limits.overdue_seconds else Stage.OVERDUE
    return Stage.LOST if run.stage is Stage.LOST or now - run.since >= RETURN_SECONDS else Stage.STOPPED


@dataclass(slots=True)
class _Record:
    """When a classifier was stopped, the latest last, and how often it was unloaded for it, the last time when."""

    stops: list[float] = field(default_factory=list)
    unloads: int = 0
    unloaded: float = -math.inf


class Watchdog:
    """What is known of classifiers and frames that did not come to an end, and what follows. Lives on the event loop.

    Attributes:
        blamed: frames, by the classifier's name and the digest of their scan, that were in a run which did not come to
            an end; True: in one of their own.

    Args:
        family_runs_max: how many overdue runs one family may have before all of its classifiers are kept waiting.
        monotonic: seconds on a clock that never goes back.
        tell_stopped: who is told, by its name, of a classifier that was told to stop.
    """

    def __init__(
        self,
        limits: WatchLimits,
        family_runs_max: int,
        models: ModelCache,
        metrics: Metrics,
        monotonic: Callable[[], float],
        tell_stopped: Callable[[str, Facts], None] = lambda _name, _facts: None,
    ) -> None:
        self.limits = limits
        self._tell_stopped = tell_stopped
        self.blamed: OrderedDict[tuple[str, int], bool] = OrderedDict()
        self._family_runs_max = family_runs_max
        self._models = models
        self._metrics = metrics
        self._monotonic = monotonic
        self._overdue: Counter[str] = Counter()
        self._overdue_of_family: Counter[str] = Counter()
        self._records: dict[str, _Record] = {}

    def way(self, lane: Lane | DctwireError, scan_digest: int) -> Lane | DctwireError:
        """The lane for a frame: where it may be a trap, one of its own; where it was one there too, none."""
        if isinstance(lane, DctwireError):
            return lane
        is_proven = self.blamed.get((lane.model.name, scan_digest))
        if is_proven is None:
            return lane
        return _fault(lane) if is_proven else lane.alone()

    @property
    def is_closing(self) -> bool:
        """Whether any lane is closed."""
        return bool(self._overdue)

    def is_closed(self, lane: Lane) -> bool:
        """Whether no frame may wait in this lane: its classifier is overdue, or too many of its family's are."""
        published = lane.model.published
        return bool(self._overdue and (self._overdue[published.name] or self._is_full(published.family)))

    def require_open(self, lane: Lane) -> None:
        """Check that frames may wait in this lane.

        Raises:
            ClassifierOverdueError: not now.
        """
        if self.is_closed(lane):
            raise ClassifierOverdueError(f"{lane.model.name} does not come to an end with earlier frames")

    def note_overdue(self, run: Run) -> None:
        """A run has become overdue: until it ends or is lost, its classifier gets no other thread."""
        self._count(run, 1)
        _log.warning("classifier-overdue", **_facts(run))

    def note_stopped(self, run: Run) -> DctwireError:
        """A run was told to stop; returns the outcome of its frames. A classifier that is stopped often is unloaded."""
        model = run.lane.model
        self._metrics.count_classifier_stop(model.name)
        _log.error("classifier-stopped", **_facts(run))
        self._tell_stopped(model.name, {"frames": len(run.batch)})
        if len(run.batch) == 1 and (model.name, run.batch[0].scan_digest) in self.blamed:
            self._blame(run, is_proven=True)
            return _fault(run.lane)
        self._blame(run, is_proven=False)
        self._count_stop(run)
        return ClassifierOverdueError(f"{model.name} did not come to an end with this frame, or with others beside it")

    def note_lost(self, run: Run) -> None:
        """A run did not stop when it was told to, and keeps its thread: unload its classifier."""
        self._count(run, -1)
        _log.error("thread-lost", **_facts(run))
        self._unload(run, "one of its operators did not come to an end, and keeps a thread of this process")

    def note_returned(self, run: Run) -> None:
        """A run that was overdue has ended after all, or was stopped."""
        if run.stage is not Stage.LOST:
            self._count(run, -1)

    def _is_full(self, family: str) -> bool:
        return self._overdue_of_family[family] >= self._family_runs_max

    def _count(self, run: Run, change: int) -> None:
        published = run.lane.model.published
        self._overdue[published.name] += change
        self._overdue_of_family[published.family] += change
        self._overdue, self._overdue_of_family = +self._overdue, +self._overdue_of_family

    def _blame(self, run: Run, *, is_proven: bool) -> None:
        for waiting in run.batch:
            self.blamed[run.lane.model.name, waiting.scan_digest] = is_proven
        while len(self.blamed) > BLAMED_MAX:
            self.blamed.popitem(last=False)

    def _count_stop(self, run: Run) -> None:
        record, now = self._records.setdefault(run.lane.model.name, _Record()), self._monotonic()
        record.stops = [at for at in record.stops if now - at < STOPS_WITHIN_SECONDS] + [now]
        if len(record.stops) >= STOPS_MAX:
            self._unload(
                run, f"it was stopped {len(record.stops)} times, after {self.limits.max_seconds:g} seconds each"
            )

    def _unload(self, run: Run, reason: str) -> None:
        """Let go of the model, and leave it alone for a while, longer each time."""
        model = run.lane.model
        record, now = self._records.setdefault(model.name, _Record()), self._monotonic()
        record.unloads = record.unloads + 1 if now - record.unloaded < 3 * AGAIN_MAX_SECONDS else 1
        record.unloaded, record.stops = now, []
        self._models.give_up(model, ClassifierOverdueError(f"{model.name}: {reason}"), again_seconds(record.unloads))


def again_seconds(unloads: int) -> float:
    """How long a classifier is left alone that was unloaded so many times."""
    return min(AGAIN_MAX_SECONDS, AGAIN_FIRST_SECONDS * 2.0 ** min(unloads - 1, 30))


def _fault(lane: Lane) -> ClassifierFaultError:
    return ClassifierFaultError(f"{lane.model.name} does not come to an end with this frame")


def _facts(run: Run) -> dict[str, object]:
    """What a log line says of a run; whose frames they were tells which device sends what hurts."""
    devices = sorted({waiting.device.public_id for waiting in run.batch})
    return {"model": run.lane.model.name, "frames": len(run.batch), "devices": devices[:8]}
