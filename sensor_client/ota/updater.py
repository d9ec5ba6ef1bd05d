"""The updater: asks for the assignment, fetches and verifies its bundle, and carries out what the update rules say."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.device_channel import AssignmentReply
from sensor_client.logs import get_logger
from sensor_client.ota.asking import Asking
from sensor_client.ota.changes import may_be_probed
from sensor_client.ota.evidence import Evidence
from sensor_client.ota.installation import Installation
from sensor_client.ota.machine import known_etag, next_state, quiet_seq
from sensor_client.ota.outbox import Outbox
from sensor_client.ota.rules import check_offer, floor_after
from sensor_client.ota.settings_from_afar import NoSettingsFromAfar, SettingsFromAfar
from sensor_client.ota.states import (
    Action,
    Activate,
    Assigned,
    BundleFacts,
    Encoded,
    Event,
    Failed,
    Fetch,
    FloorSeen,
    Policy,
    Postpone,
    Proved,
    Ran,
    Refused,
    Resumed,
    Started,
    State,
    Stopped,
    Told,
    Unfit,
    Unverified,
    Verified,
)
from sensor_client.ota.update_state import Trial, UpdateState
from sensor_client.ota.without_tables import WithoutTables, why_without_tables
from sensor_client.signals import Signals
from shared.bundle import Bundle, settings_counter
from shared.errors import ChannelError, PeerError, RefusedError
from shared.trust import TrustError, TrustStanding, VerifiedTarget
from shared.wire import ASKED_NUMBER

TRUST_LOOK_SECONDS = 86_400.0
TRUST_RETRY_SECONDS = 3600.0
UPTIME_STEP_SECONDS = 600.0
"""So much uptime is noted at a time, with a write; what a start ran for since is lost where it ends out of order."""

_log = get_logger(__name__)


class AssignmentChannel(Protocol):
    """What the updater needs of `DeviceChannel`."""

    def assignment(self, etag: str | None = None) -> AssignmentReply: ...


class TargetSource(Protocol):
    """What the updater needs of `shared.trust.TrustClient`."""

    def download(self, target_path: str, known: Iterable[bytes] = ()) -> VerifiedTarget: ...

    def refresh(self) -> TrustStanding: ...

    def standing(self) -> TrustStanding: ...


@dataclass(frozen=True, kw_only=True)
class UpdateSettings:
    """How to keep up to date.

    Args:
        family: the device's, from its enrolment.
        poll_seconds: between two questions for the assignment, where no reply names another one before.
    """

    family: str
    poll_seconds: float
    policy: Policy = field(default_factory=Policy)


class Updater:
    """Works beside capture and upload, which never wait for it once there is a first bundle.

    What to do is decided by `next_state` alone. An offer that does not fit is refused once and remembered. One that
    does not verify is tried a few times, since a server may be caught between two files of a publication, and then now
    and again: expired metadata, a wrong clock or a network that answers in the server's place are mended without a new
    assignment. One thread runs it; the others reach it through `evidence`, `outbox` and the signals.
    """

    def __init__(
        self,
        *,
        channel: AssignmentChannel,
        trust: TargetSource,
        installation: Installation,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        evidence: Evidence,
        outbox: Outbox,
        settings: UpdateSettings,
        from_afar: SettingsFromAfar | None = None,
    ) -> None:
        self._channel = channel
        self._trust = trust
        self._installation = installation
        self._clock = clock
        self._random = random
        self._signals = signals
        self._evidence = evidence
        self._outbox = outbox
        self._settings = settings
        self._from_afar = from_afar or NoSettingsFromAfar()
        self._named: str | None = None
        self._has_begun = False
        self._is_sure = False
        self._told_without: WithoutTables | None = None
        self._asking = Asking()
        self._attempt = 0
        self._trust_due_seconds = 0.0
        self._uptime_noted_at_seconds = clock.monotonic_seconds()
        self._state = State(kept=UpdateState(), active=None, other=None)

    @property
    def kept(self) -> UpdateState:
        """What the device remembers of its updates. Any thread may read it."""
        return self._state.kept

    def run(self) -> None:
        """Work until a stop is asked for.

        Raises:
            Exception: a fault that only a new start can mend, by calling `run` again; capture and upload go on.
        """
        self._is_sure = False  # whatever was under way when the last run ended
        while self._signals.may_go_on(self._signals.update_wanted):
            self.turn()
            self._clock.wait(self._signals.update_wanted, self._seconds_to_rest())
        self.end()

    def end(self) -> None:
        """Note what was told last, such as a frame that proved the bundle just now, and that the end is in order."""
        if self._is_sure:
            with suppress(OSError):  # then this start counts as a crash, which does no harm by itself
                self._take_what_was_told()
                self._tell(Stopped())
                self._note_uptime(0.0)

    def step(self) -> bool:
        """Ask for the assignment and settle it.

        Returns:
            Whether there is a bundle, and nothing to do until the next news.

        Raises:
            ChannelError, RefusedError: the server could not be asked, or will not answer.
            OSError: the disk would not take the bundle; what is in use is as before.
        """
        self._ensure_sure()
        reply = self._channel.assignment(known_etag(self._state))
        is_settled = reply.assignment is None or self._settle(Assigned(reply.assignment, reply.etag))
        self._tell_why_without_tables(reply)
        self._follow_settings(reply)
        self._installation.heal()
        return is_settled and self._state.active is not None

    def turn(self) -> None:
        """Do what is due, once. A fault of line or disk is waited out; the camera goes on with what it has."""
        try:
            self._ensure_sure()
            self._take_what_was_told()
            self._note_uptime(UPTIME_STEP_SECONDS)
        except OSError as error:
            self._put_off(error)
            return
        if self.seconds_to_ask() <= 0:
            self._ask()
        if self._from_afar.seconds_left() <= 0:
            self._from_afar.follow(self._trust.download)
        if self._trust_due_seconds <= self._clock.monotonic_seconds():
            self.look_at_trust()

    def _follow_settings(self, reply: AssignmentReply) -> None:
        if reply.assignment is not None:
            self._named, asked = reply.assignment.settings, reply.assignment.diagnostics
            self._from_afar.named(self._named)
            number = settings_counter(self._named or "") or 0
            self._signals.settle_settings(number if asked is None else number + ASKED_NUMBER)
            if asked is not None:
                self._signals.ask_diagnostics(asked)
        self._from_afar.follow(self._trust.download)

    def _ask(self) -> None:
        was_news, before = self._signals.has_news, (self._state.active, self._named)
        try:
            is_settled = self.step()
        except (ChannelError, RefusedError, OSError) as error:
            self._put_off(error)
            return
        if not is_settled:
            self._retry_later(None)
            return
        self._note_answer(was_news=was_news, brought_change=(self._state.active, self._named) != before)

    def _note_answer(self, *, was_news: bool, brought_change: bool) -> None:
        now, poll_seconds = self._clock.monotonic_seconds(), self._settings.poll_seconds
        self._asking = self._asking.answered(
            now, poll_seconds=poll_seconds, was_news=was_news, brought_change=brought_change
        )
        if self._attempt:
            _log.info("updates-work-again", failed_attempts=self._attempt)
        self._attempt = 0

    def _put_off(self, error: Exception) -> None:
        if not isinstance(error, ChannelError | RefusedError):
            self._is_sure = False
        _log.warning("update-postponed", error=type(error).__name__, reason=str(error))
        self._retry_later(error.retry_after_seconds if isinstance(error, ChannelError) else None)

    def _retry_later(self, retry_after_seconds: float | None) -> None:
        wait_seconds = delay_seconds(self._attempt, retry_after_seconds, self._random)
        self._asking = self._asking.failed(self._clock.monotonic_seconds(), wait_seconds)
        self._attempt += 1

    def _seconds_to_rest(self) -> float:
        to_trust = max(0.0, self._trust_due_seconds - self._clock.monotonic_seconds())
        return min(self.seconds_to_ask(), to_trust, self._from_afar.seconds_left())

    def seconds_to_ask(self) -> float:
        """Until the next question for the assignment may be asked."""
        return self._asking.seconds_left(self._clock.monotonic_seconds(), is_news=self._signals.has_news)

    def look_at_trust(self) -> bool:
        """Follow the metadata, so that new keys and a new floor reach a device to which nothing is assigned; return
        whether they could be."""
        wait_seconds, is_done = TRUST_LOOK_SECONDS, True
        try:
            self._tell(FloorSeen(self._trust.refresh().min_counter))
        except (TrustError, ChannelError, RefusedError, OSError) as error:
            _log.warning("trust-not-refreshed", error=type(error).__name__, reason=str(error))
            wait_seconds, is_done = TRUST_RETRY_SECONDS, False
        self._next_trust_look(wait_seconds)
        return is_done

    def _next_trust_look(self, wait_seconds: float) -> None:
        jitter = 0.9 + 0.2 * self._random()
        self._trust_due_seconds = self._clock.monotonic_seconds() + wait_seconds * jitter

    def _tell_why_without_tables(self, reply: AssignmentReply) -> None:
        why = why_without_tables(self._state, reply, self._settings.family)
        if why is not None and why != self._told_without:
            _log.warning(why.event, **why.said)
        self._told_without = why

    def _ensure_sure(self) -> None:
        """Read the state from disk, at the start and after a fault that may have left an event half carried out."""
        if self._is_sure:
            return
        event = Resumed() if self._has_begun else self._begin()
        kept, active, other = self._installation.load()
        self._state = State(kept=kept, active=_facts(active), other=_facts(other))
        try:
            self._tell(event)
            self._is_sure = True
        finally:  # the camera has its tables, whatever the disk says
            self._watch()
            self._installation.hand_over()

    def _begin(self) -> Started:
        started = Started(self._floor_of_the_files())
        self._next_trust_look(TRUST_LOOK_SECONDS)
        if self._installation.is_whole():  # the reply to the first frame says whether there is news
            self._asking = self._asking.put_off(self._clock.monotonic_seconds(), self._settings.poll_seconds)
        self._has_begun = True
        return started

    def _floor_of_the_files(self) -> int:
        """The floor that verified files name, where the record that notes it is lost; 0 where it is at hand."""
        kept, _, _ = self._installation.load()
        if kept.seq:
            return 0
        try:
            return self._trust.standing().min_counter
        except (ChannelError, OSError) as error:  # whatever is offered is verified before it is used
            _log.warning("trust-not-read", reason=str(error))
            return 0

    def _take_what_was_told(self) -> None:
        seen, phase = self._evidence.take(), self._state.kept.phase
        settled = self._outbox.settled()
        if settled:
            self._tell(Told(settled))
        if not isinstance(phase, Trial):
            return
        if seen.was_encoded:
            self._tell(Encoded(phase.target))
        if seen.failure is not None:
            self._tell(Failed(phase.target, seen.failure))
        if seen.proofs:
            self._tell(Proved(phase.target, seen.proofs))
        if seen.refusals:
            self._tell(Refused(phase.target, seen.refusals))

    def _note_uptime(self, at_least_seconds: float) -> None:
        now = self._clock.monotonic_seconds()
        ran_seconds = now - self._uptime_noted_at_seconds
        if ran_seconds < at_least_seconds:
            return
        with suppress(OSError):  # it is told with the next; what is asked and answered does not wait for it
            self._tell(Ran(ran_seconds))
            self._uptime_noted_at_seconds = now

    def _settle(self, event: Assigned | Verified | Unverified | Unfit, offered: Bundle | None = None) -> bool:
        """Carry out what the rules say; false where the same is to be tried again soon."""
        is_settled = True
        for action in self._tell(event, offered):
            if isinstance(action, Postpone):
                _log.warning("update-postponed", reason=action.reason)
                is_settled = False
            elif isinstance(action, Fetch):
                is_settled = self._fetch(action)
        return is_settled

    def _tell(self, event: Event, offered: Bundle | None = None) -> tuple[Action, ...]:
        """Carry out what the rules say to `event`, but for what needs the line; a Verified comes with its bundle."""
        state, actions = next_state(self._state, event, self._clock.now(), self._settings.policy)
        try:
            for action in actions:
                if isinstance(action, Activate):
                    self._watch(state)
                self._installation.carry_out(action, state.kept, offered)
        except BaseException:
            self._is_sure = False
            raise
        self._adopt(state)
        return actions

    def _adopt(self, state: State) -> None:
        refused = state.kept.last_refused
        if refused is not None and state.kept.refusals > self._state.kept.refusals:
            _log.error("bundle-refused", **refused.model_dump())
        if state.kept.seq != self._state.kept.seq:
            self._trust_due_seconds = min(self._trust_due_seconds, self._clock.monotonic_seconds())
        self._state = state
        self._watch()
        self._installation.compare(may_be_probed=may_be_probed(state))
        self._signals.settle_assignment(quiet_seq(state))
        self._outbox.show(state.kept.outbox)

    def _watch(self, state: State | None = None) -> None:
        is_on_trial = isinstance((state or self._state).kept.phase, Trial)
        self._evidence.watch(self._installation.target if is_on_trial else None)

    def _fetch(self, fetch: Fetch) -> bool:
        assignment = fetch.assignment
        try:
            bundle, floor_counter = self._verified(fetch)
        except TrustError as error:
            return self._settle(Unverified(assignment, error.code, str(error)))
        except PeerError as error:
            self._tell(FloorSeen(self._trust.standing().min_counter))
            is_settled = self._settle(Unfit(assignment, error.code, str(error)))
        else:
            is_settled = self._settle(Verified(assignment, BundleFacts.of(bundle), floor_counter), bundle)
        self._next_trust_look(TRUST_LOOK_SECONDS)
        return is_settled

    def _verified(self, fetch: Fetch) -> tuple[Bundle, int]:
        target = self._trust.download(fetch.assignment.target, self._installation.known())
        bundle = Bundle.from_bytes(target.data)
        floor_counter = floor_after(fetch.floor_counter, target.min_counter)
        check_offer(
            bundle,
            target_path=fetch.assignment.target,
            custom=target.custom,
            family=self._settings.family,
            floor_counter=floor_counter,
        )
        bundle.check_selftest()
        return bundle, floor_counter


def _facts(bundle: Bundle | None) -> BundleFacts | None:
    return None if bundle is None else BundleFacts.of(bundle)
