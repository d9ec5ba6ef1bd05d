"""The updater: asks for the assignment, fetches and verifies its bundle, and carries out what the update rules say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from sensor_client.active_bundle import ActiveBundle
from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.device_channel import AssignmentReply
from sensor_client.errors import UnauthorisedError
from sensor_client.ota.machine import known_etag, next_state, quiet_seq
from sensor_client.ota.rules import check_offer
from sensor_client.ota.slots import Slots
from sensor_client.ota.states import (
    Action,
    Activate,
    Assigned,
    BundleFacts,
    Event,
    Fetch,
    Install,
    Policy,
    Postpone,
    RollBack,
    Save,
    Started,
    State,
    Unfit,
    Unverified,
    Verified,
)
from sensor_client.ota.update_state import UpdateStateFile
from sensor_client.signals import Signals
from shared.bundle import Bundle
from shared.errors import ChannelError, PeerError, RefusedError
from shared.trust import TrustError, VerifiedTarget

_log = structlog.get_logger(__name__)


class AssignmentChannel(Protocol):
    """What the updater needs of `DeviceChannel`."""

    def assignment(self, etag: str | None = None) -> AssignmentReply: ...


class TargetSource(Protocol):
    """What the updater needs of `shared.trust.TrustClient`."""

    def download(self, target_path: str) -> VerifiedTarget: ...


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
    assignment.
    """

    def __init__(
        self,
        *,
        channel: AssignmentChannel,
        trust: TargetSource,
        slots: Slots,
        state_file: UpdateStateFile,
        active: ActiveBundle,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        settings: UpdateSettings,
    ) -> None:
        self._channel = channel
        self._trust = trust
        self._slots = slots
        self._state_file = state_file
        self._active = active
        self._clock = clock
        self._random = random
        self._signals = signals
        self._settings = settings
        self._has_told_of_none = False
        self._state = State(kept=state_file.load(), active=_facts(active.bundle), other=_facts(slots.previous()))

    def run(self) -> None:
        """Work until a stop is asked for.

        Raises:
            UnauthorisedError: trying again cannot help.
            OSError: the disk would not take the memory of a trial.
        """
        self._apply(Started())
        if self._active.bundle is not None:  # the reply to the first frame says whether there is news
            self._clock.wait(self._signals.assignment_news, self._settings.poll_seconds)
        attempt = 0
        is_failing = False
        while True:
            self._signals.assignment_news.clear()  # before looking at `stop`, whose request sets this one after it
            if self._signals.stop.is_set():
                return
            retry_after_seconds = None
            try:
                is_settled = self.step()
            except UnauthorisedError:
                raise
            except (ChannelError, RefusedError, OSError) as error:
                _log.warning("update-postponed", reason=str(error))
                is_settled, is_failing = False, True
                retry_after_seconds = error.retry_after_seconds if isinstance(error, ChannelError) else None
            else:
                if is_failing:
                    _log.info("updates-work-again")
                is_failing = False
            if is_settled:
                attempt = 0
                self._clock.wait(self._signals.assignment_news, self._settings.poll_seconds)
            else:
                self._clock.wait(self._signals.stop, delay_seconds(attempt, retry_after_seconds, self._random))
                attempt += 1

    def step(self) -> bool:
        """Ask for the assignment and settle it.

        Returns:
            Whether there is a bundle, and nothing to do until the next news.

        Raises:
            ChannelError, RefusedError: the server could not be asked, or will not answer.
            OSError: the disk would not take the bundle.
        """
        reply = self._channel.assignment(known_etag(self._state))
        self._tell_whether_assigned(reply)
        is_settled = reply.assignment is None or self._apply(Assigned(reply.assignment, reply.etag))
        return is_settled and self._active.bundle is not None

    def _tell_whether_assigned(self, reply: AssignmentReply) -> None:
        is_unassigned = reply.assignment is None and self._active.bundle is None
        if is_unassigned and not self._has_told_of_none:
            family = self._settings.family
            _log.warning(
                "no-tables-assigned",
                family=family,
                reason="no picture is taken before the family has tables; this device goes on asking",
                operator_types=f"dctwire publish BUNDLE --keys KEYS --assign, or dctwire assign {family} COUNTER",
            )
        self._has_told_of_none = is_unassigned

    def _apply(self, event: Event, offered: Bundle | None = None) -> bool:
        """Carry out what the rules say to `event`; false where the same is to be tried again soon.

        Args:
            offered: the bundle that a Verified event tells of.
        """
        state, actions = next_state(self._state, event, self._clock.now(), self._settings.policy)
        self._carry_out(actions, state, offered)
        self._adopt(state)
        fetches = [action for action in actions if isinstance(action, Fetch)]
        return not any(isinstance(action, Postpone) for action in actions) and all(map(self._fetch, fetches))

    def _carry_out(self, actions: tuple[Action, ...], state: State, offered: Bundle | None) -> None:
        bundle = offered
        for action in actions:
            match action:
                case Install():
                    assert offered is not None, "only a verified bundle is installed"
                    self._slots.install(offered)
                case RollBack():
                    rolled_back = self._slots.roll_back()
                    bundle = offered or rolled_back
                case Save():
                    self._state_file.save(state.kept)
                case Activate():
                    assert bundle is not None, "a slot was switched to before"
                    self._active.replace(bundle)
                    _log.info("bundle-activated", bundle=bundle.name, seq=state.kept.seq)
                case Postpone():
                    _log.warning("update-postponed", reason=action.reason)

    def _adopt(self, state: State) -> None:
        refused = state.kept.last_refused
        if refused is not None and state.kept.refusals > self._state.kept.refusals:
            _log.error("bundle-refused", **refused.model_dump())
        self._state = state
        self._signals.settle_assignment(quiet_seq(state))

    def _fetch(self, fetch: Fetch) -> bool:
        assignment = fetch.assignment
        try:
            bundle = self._verified(fetch)
        except TrustError as error:
            return self._apply(Unverified(assignment, error.code, str(error)))
        except PeerError as error:
            return self._apply(Unfit(assignment, error.code, str(error)))
        return self._apply(Verified(assignment, BundleFacts.of(bundle)), bundle)

    def _verified(self, fetch: Fetch) -> Bundle:
        target = self._trust.download(fetch.assignment.target)
        bundle = Bundle.from_bytes(target.data)
        check_offer(
            bundle,
            target_path=fetch.assignment.target,
            custom=target.custom,
            family=self._settings.family,
            floor_counter=fetch.floor_counter,
        )
        bundle.check_selftest()
        return bundle


def _facts(bundle: Bundle | None) -> BundleFacts | None:
    return None if bundle is None else BundleFacts.of(bundle)
