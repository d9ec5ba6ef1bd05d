"""Heartbeats and outcomes: what a device tells its server of itself, beside everything else and never in its way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sensor_client.active_bundle import ActiveBundle
from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.encode_times import EncodeTimes
from sensor_client.logs import get_logger
from sensor_client.ota import Trial, UpdateState
from sensor_client.signals import Signals
from sensor_client.spool import Spool
from shared.bundle import FEATURES, SCHEMAS_READ
from shared.errors import ChannelError, RefusedError
from shared.trust import TrustStanding
from shared.wire import (
    ActiveTables,
    AssignmentOutcome,
    DeviceCondition,
    Heartbeat,
    SettingsState,
    SpoolState,
    TrustState,
)
from shared.wire import Trial as TrialOnAir

PERIOD_SECONDS = 6 * 3600.0
HURRIED_SECONDS = 30.0
"""After a heartbeat, at least, where the server set something, or asked for something."""
WORSE_SECONDS = 900.0
"""After a heartbeat, at least, where something has become worse since."""
LOOK_SECONDS = 60.0
"""So often it is looked whether something has."""
FLOOR_SECONDS = 10.0
"""Between two reports, at least, whatever happens; the server asks for no more."""

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ProgramStart:
    """This start of the program: its version, a random name of 16 hex digits, its number, and when it was."""

    program: str
    boot: str
    boots: int
    at_seconds: float


class ReportChannel(Protocol):
    """What the reporter needs of `DeviceChannel`."""

    def send_heartbeat(self, heartbeat: Heartbeat) -> None: ...

    def send_outcome(self, outcome: AssignmentOutcome) -> None: ...


class Outcomes(Protocol):
    """Where outcomes of updates wait until the server knows them; any thread may call."""

    def waiting(self) -> tuple[AssignmentOutcome, ...]: ...

    def settle(self, outcome: AssignmentOutcome) -> None: ...


class SelfDescription:
    """The device as it is now, in the words of a heartbeat."""

    def __init__(
        self,
        *,
        start: ProgramStart,
        active: ActiveBundle,
        times: EncodeTimes,
        spool: Spool,
        kept: Callable[[], UpdateState],
        standing: Callable[[], TrustStanding],
        from_afar: Callable[[], SettingsState | None] = lambda: None,
        condition: Callable[[], DeviceCondition | None] = lambda: None,
        clock: Clock,
    ) -> None:
        """Name the sources.

        Args:
            kept: what is durable of the updates.
            standing: how far TUF's metadata were followed.
            from_afar: which settings from afar are named, and which are in effect.
            condition: how the device does.
        """
        self._start = start
        self._active = active
        self._times = times
        self._spool = spool
        self._kept = kept
        self._standing = standing
        self._from_afar = from_afar
        self._condition = condition
        self._clock = clock

    def heartbeat(self) -> Heartbeat:
        """What there is to tell.

        Raises:
            SpoolError: the spool cannot be read.
        """
        bundle, kept, standing = self._active.bundle, self._kept(), self._standing()
        depth, counters = self._spool.depth(), self._spool.counters()
        return Heartbeat(
            program=self._start.program,
            boot=self._start.boot,
            boots=self._start.boots,
            uptime_seconds=max(0.0, self._clock.monotonic_seconds() - self._start.at_seconds),
            schemas=list(SCHEMAS_READ),
            features=list(FEATURES),
            active=None if bundle is None else ActiveTables(target=bundle.target_path, tables=bundle.tables.tables_id),
            trial=trial_of(kept),
            outcome=kept.last_outcome,
            encode_seconds_median=self._times.median_seconds(),
            highest_sequence=self._spool.highest_sequence(),
            spool=SpoolState(frames=depth.frames, bytes=depth.frame_bytes, dropped=counters.dropped),
            tuf=trust_of(standing),
            time_floor=_utc(standing.time_floor),
            settings=self._from_afar(),
            condition=self._condition(),
        )


def trial_of(kept: UpdateState) -> TrialOnAir | None:
    """What there is to tell of a bundle on trial; None without one."""
    trial = kept.phase
    if not isinstance(trial, Trial):
        return None
    return TrialOnAir(target=trial.target, proofs=trial.proofs, boots=trial.boots)


def trust_of(standing: TrustStanding) -> TrustState | None:
    """What there is to tell of TUF's metadata; None where no root is to be had."""
    if standing.root_version == 0:
        return None
    return TrustState(
        root_version=standing.root_version,
        targets_version=standing.targets_version,
        signed_at=None if standing.signed_at is None else _utc(standing.signed_at),
        is_stale=standing.is_stale,
    )


def _utc(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class Told:
    """When a heartbeat was told last (on a clock that never goes back), and what was wrong then. Pure.

    Args:
        at_seconds: None before the first.
        troubles: what was wrong, each by a word.
    """

    at_seconds: float | None = None
    troubles: frozenset[str] = frozenset()

    def seconds_left(self, now: float, troubles: frozenset[str], *, is_hurried: bool) -> float:
        """How long to wait before the next heartbeat; 0 when it is time."""
        if self.at_seconds is None:
            return 0.0
        waits = [PERIOD_SECONDS]
        waits += [HURRIED_SECONDS] if is_hurried else []
        waits += [WORSE_SECONDS] if troubles - self.troubles else []
        return max(0.0, self.at_seconds + min(waits) - now)


class HeartbeatReporter:
    """Tells outcomes as they come, and a heartbeat at the start, after outcomes and once in six hours of uptime.

    Where something has become worse, or the server waits for it, a heartbeat comes earlier.
    """

    def __init__(
        self,
        *,
        channel: ReportChannel,
        describe: Callable[[], Heartbeat],
        outcomes: Outcomes,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        troubles: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            describe: the device as it is now.
            troubles: what is wrong with it now, each by a word; cheap.
        """
        self._channel = channel
        self._describe = describe
        self._outcomes = outcomes
        self._clock = clock
        self._random = random
        self._signals = signals
        self._troubles = troubles
        self._told = Told()

    def run(self) -> None:
        """Report until a stop is asked for."""
        attempt = 0
        while self._signals.may_go_on(self._signals.report_wanted):
            try:
                has_told = self.step()
            except ChannelError as error:
                self._put_off(error, attempt)
                attempt += 1
                continue
            attempt = 0
            if has_told:
                self._clock.wait(self._signals.stop, FLOOR_SECONDS)
            self._clock.wait(self._signals.report_wanted, min(self._seconds_left(), LOOK_SECONDS))

    def step(self) -> bool:
        """Tell what is to be told now; return whether that was anything.

        Raises:
            ChannelError: what the server did not take is told later.
        """
        outcomes = self._outcomes.waiting()
        for outcome in outcomes:
            self._tell(outcome)
        if self._seconds_left() > 0 and not outcomes:
            return False
        self._tell_of_itself()
        return True

    def _seconds_left(self) -> float:
        is_hurried = self._signals.report_hurried.is_set()
        return self._told.seconds_left(self._clock.monotonic_seconds(), self._troubles(), is_hurried=is_hurried)

    def _tell_of_itself(self) -> None:
        self._signals.report_hurried.clear()
        troubles = self._troubles()
        try:
            self._channel.send_heartbeat(self._describe())
        except RefusedError as error:  # a server of another age: the next heartbeat is due all the same
            _log.warning("heartbeat-refused", reason=str(error))
        except ChannelError:
            self._signals.report_hurried.set()
            raise
        self._told = Told(at_seconds=self._clock.monotonic_seconds(), troubles=troubles)

    def _put_off(self, error: ChannelError, attempt: int) -> None:
        wait_seconds = FLOOR_SECONDS + delay_seconds(attempt, error.retry_after_seconds, self._random)
        _log.warning("report-put-off", reason=str(error), retry_in_seconds=round(wait_seconds, 3))
        self._clock.wait(self._signals.stop, wait_seconds)

    def _tell(self, outcome: AssignmentOutcome) -> None:
        """Tell one outcome. One that the server refuses is dropped: it does not know that assignment any more."""
        try:
            self._channel.send_outcome(outcome)
        except RefusedError as error:
            _log.warning("outcome-refused", seq=outcome.seq, target=outcome.target, reason=str(error))
        self._outcomes.settle(outcome)
