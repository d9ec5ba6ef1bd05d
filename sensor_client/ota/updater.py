"""The updater: hears of an assignment, verifies the bundle, installs it, and hands it to the camera's side."""

from collections.abc import Callable
from typing import Protocol

import structlog

from sensor_client.active_bundle import ActiveBundle
from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.device_channel import AssignmentReply
from sensor_client.errors import UnauthorisedError
from sensor_client.ota.rules import check_offer, floor_after
from sensor_client.ota.settled import RefusedOffer, SettledFile
from sensor_client.ota.slots import Slots
from sensor_client.signals import Signals
from shared.bundle import Bundle
from shared.errors import ChannelError, PeerError, RefusedError
from shared.trust import TrustError, VerifiedTarget
from shared.wire import Assignment

TRUST_ATTEMPTS = 3
DOUBT_SECONDS = 3600.0
REASON_LIMIT_CHARACTERS = 500

_log = structlog.get_logger(__name__)


class AssignmentChannel(Protocol):
    """What the updater needs of `DeviceChannel`."""

    def assignment(self, etag: str | None = None) -> AssignmentReply: ...


class TargetSource(Protocol):
    """What the updater needs of `shared.trust.TrustClient`."""

    def download(self, target_path: str) -> VerifiedTarget: ...


class Updater:
    """Works beside capture and upload, which never wait for it once there is a first bundle.

    An offer that does not fit is refused once and remembered. One that does not *verify* is tried TRUST_ATTEMPTS
    times, since a server may be caught between two files of a publication, and then once every DOUBT_SECONDS: expired
    metadata, a wrong clock or a network that answers in the server's place are mended without a new assignment.
    """

    def __init__(
        self,
        channel: AssignmentChannel,
        trust: TargetSource,
        slots: Slots,
        settled_file: SettledFile,
        active: ActiveBundle,
        family: str,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        poll_seconds: float,
    ) -> None:
        self._channel = channel
        self._trust = trust
        self._slots = slots
        self._settled_file = settled_file
        self._settled = settled_file.load()
        self._active = active
        self._family = family
        self._clock = clock
        self._random = random
        self._signals = signals
        self._poll_seconds = poll_seconds
        self._etag: str | None = None
        self._doubted_seq = 0
        self._doubted_times = 0
        self._doubted_until_seconds = 0.0

    def run(self) -> None:
        """Until a stop is asked for.

        Raises:
            UnauthorisedError: trying again cannot help.
        """
        if self._active.bundle is not None:  # the reply to the first frame says whether there is news
            self._clock.wait(self._signals.assignment_news, self._poll_seconds)
        attempt = 0
        while True:
            self._signals.assignment_news.clear()  # before looking at `stop`, whose request sets this one after it
            if self._signals.stop.is_set():
                return
            retry_after_seconds = None
            try:
                is_settled = self.step()
            except UnauthorisedError:
                raise
            except (ChannelError, RefusedError, TrustError, OSError) as error:
                _log.warning("update_postponed", reason=str(error))
                is_settled = False
                retry_after_seconds = error.retry_after_seconds if isinstance(error, ChannelError) else None
            if is_settled:
                attempt = 0
                self._clock.wait(self._signals.assignment_news, self._poll_seconds)
            else:
                self._clock.wait(self._signals.stop, delay_seconds(attempt, retry_after_seconds, self._random))
                attempt += 1

    def step(self) -> bool:
        """Ask for the assignment and settle it. Whether there is a bundle, and nothing to do until the next news.

        Raises:
            ChannelError, RefusedError: the server could not be asked, or will not answer.
            TrustError: the offer does not verify; it may yet.
            OSError: the disk would not take it.
        """
        reply = self._channel.assignment(self._etag)
        if reply.assignment is not None and self._is_open(reply.assignment):
            self._settle(reply.assignment)
        is_decided = self._doubted_seq <= self._settled.seq
        self._etag = reply.etag if is_decided else None  # a 304 would keep an open question from being asked again
        return self._active.bundle is not None

    def _is_open(self, assignment: Assignment) -> bool:
        if assignment.seq > self._settled.seq:
            is_put_off = self._clock.monotonic_seconds() < self._doubted_until_seconds
            return assignment.seq != self._doubted_seq or not is_put_off
        refused = self._settled.last_refused
        return self._active.bundle is None and (refused is None or refused.seq != assignment.seq)

    def _settle(self, assignment: Assignment) -> None:
        active = self._active.bundle
        if active is not None and active.target_path == assignment.target:
            self._remember_run(assignment, active, activations=0)
            return
        try:
            bundle = self._verified(assignment)
        except TrustError as error:
            self._doubt(assignment)
            if self._doubted_times < TRUST_ATTEMPTS:
                raise
            self._put_off(assignment, error)
        except PeerError as error:
            self._refuse(assignment, error)
        else:
            self._activate(assignment, bundle)

    def _verified(self, assignment: Assignment) -> Bundle:
        target = self._trust.download(assignment.target)
        bundle = Bundle.from_bytes(target.data)
        check_offer(bundle, assignment.target, target.custom, self._family, self._settled.floor_counter)
        bundle.check_selftest()
        return bundle

    def _activate(self, assignment: Assignment, bundle: Bundle) -> None:
        self._slots.install(bundle)
        self._remember_run(assignment, bundle, activations=1)
        self._active.replace(bundle)
        _log.info("bundle_activated", bundle=bundle.name, seq=assignment.seq)

    def _remember_run(self, assignment: Assignment, bundle: Bundle, activations: int) -> None:
        self._remember(
            seq=max(assignment.seq, self._settled.seq),
            floor_counter=floor_after(self._settled.floor_counter, bundle),
            activations=self._settled.activations + activations,
        )

    def _refuse(self, assignment: Assignment, error: PeerError) -> None:
        self._remember(
            seq=max(assignment.seq, self._settled.seq),
            refusals=self._settled.refusals + 1,
            last_refused=_refused(assignment, error),
        )

    def _doubt(self, assignment: Assignment) -> None:
        is_same = assignment.seq == self._doubted_seq
        self._doubted_times = self._doubted_times + 1 if is_same else 1
        self._doubted_seq = assignment.seq

    def _put_off(self, assignment: Assignment, error: TrustError) -> None:
        """Leave it open, on disk too, but no news for a while."""
        if self._doubted_times == TRUST_ATTEMPTS:
            self._remember(refusals=self._settled.refusals + 1, last_refused=_refused(assignment, error))
        self._doubted_until_seconds = self._clock.monotonic_seconds() + DOUBT_SECONDS
        self._signals.settle_assignment(assignment.seq)

    def _remember(self, **changes: object) -> None:
        settled = self._settled.model_copy(update=changes)
        self._settled_file.save(settled)
        self._settled = settled
        self._signals.settle_assignment(settled.seq)


def _refused(assignment: Assignment, error: PeerError) -> RefusedOffer:
    _log.error("bundle_refused", target=assignment.target, seq=assignment.seq, code=error.code, reason=str(error))
    reason = str(error)[:REASON_LIMIT_CHARACTERS]
    return RefusedOffer(seq=assignment.seq, target=assignment.target, code=error.code, reason=reason)
