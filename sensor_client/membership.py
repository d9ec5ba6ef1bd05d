"""Whether the server takes this device's token, and how the device comes back by itself where it does not."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Self

from sensor_client.clock import Clock
from sensor_client.errors import UnauthorisedError
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from sensor_client.state_directory import Identity
from shared.errors import ChannelError, RefusedError
from shared.wire import Enrolment

FIRST_WAIT_SECONDS = 5.0
"""A token is refused to a whole fleet at once, by a server that was restored: devices come back spread over this."""
FLOOR_SECONDS = 60.0
HIGHEST_CEILING_SECONDS = 3600.0
IDLE_SECONDS = 3600.0

_log = get_logger(__name__)


def rejoin_delay_seconds(attempt: int, random: Callable[[], float]) -> float:
    """The seconds until attempt number `attempt` (from 0) to be let in again: never the same for two devices.

    Args:
        random: uniform in [0, 1).
    """
    if attempt == 0:
        return random() * FIRST_WAIT_SECONDS
    ceiling = min(HIGHEST_CEILING_SECONDS, FLOOR_SECONDS * 2.0 ** min(attempt, 16))
    return FLOOR_SECONDS + random() * (ceiling - FLOOR_SECONDS)


@dataclass(frozen=True, kw_only=True)
class KeptOut:
    """What it means that a server lets a device in no more, what an operator does about it, and what else there is."""

    means: str
    operator_types: str
    otherwise: str

    @classmethod
    def of(cls, device_id: str) -> Self:
        """The words for a device."""
        return cls(
            means="the server keeps this device out: an operator revoked or forgot it, or the server has lost it",
            operator_types=f"dctwire devices show {device_id}; to let it in again, dctwire devices restore {device_id}",
            otherwise="Only where it is to become a new device: remove identity.json and secret from its state "
            "directory, and enrol it with a new claim code",
        )


class Membership:
    """The identity in use. While the server refuses its token nothing is asked with it, but for one attempt now and
    then, and nothing is lost: whoever wants to ask is told to try again later. Thread-safe.

    An attempt repeats the enrolment: a server that knows the device answers with what it answered before, and one
    that was restored from an older backup lets it in again on its voucher. Then the token is tried again, whatever
    came of that.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        refused_since: float | None,
        rejoin: Callable[[Identity], Identity],
        keep: Callable[[Identity], None],
        note: Callable[[float | None], None],
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
    ) -> None:
        """Begin by believing in the token.

        Args:
            refused_since: seconds since 1970, where an earlier run of the program ended refused.
            rejoin: repeats the enrolment; the identity, with what was learned. Raises RefusedError or ChannelError.
            keep: writes an identity that changed; raises OSError.
            note: writes since when the token is refused, None for not; raises OSError.
        """
        self._identity = identity
        self._refused_since = refused_since
        self._rejoin = rejoin
        self._keep = keep
        self._note = note
        self._clock = clock
        self._random = random
        self._signals = signals
        self._lock = threading.Lock()
        self._attempts = 0
        self._opens_seconds: float | None = None

    def enrolment(self) -> Enrolment:
        """The device's id and token.

        Raises:
            UnauthorisedError: the server refused the token, and it is not yet time to try again.
        """
        with self._lock:
            if self._opens_seconds is not None:
                left = self._opens_seconds - self._clock.monotonic_seconds()
                raise UnauthorisedError("the server refuses this device's token for now", max(0.0, left))
            return self._identity.enrolment

    def refused(self, token: str) -> None:
        """The server refused this token."""
        with self._lock:
            if self._opens_seconds is not None or token != self._identity.enrolment.token:
                return
            wait_seconds = rejoin_delay_seconds(self._attempts, self._random)
            self._opens_seconds = self._clock.monotonic_seconds() + wait_seconds
            self._attempts += 1
            is_first = self._refused_since is None
            if is_first:
                self._refused_since = self._clock.now()
            since = self._refused_since
        _log.warning("token-refused", tried_again_in_seconds=round(wait_seconds, 1))
        if is_first:
            self._write_down(since)
        self._signals.token_refused.set()

    def accepted(self, token: str) -> None:
        """The server took this token."""
        with self._lock:
            if self._refused_since is None or token != self._identity.enrolment.token:
                return
            self._refused_since, self._attempts = None, 0
        _log.info("token-taken-again")
        self._write_down(None)

    def run(self) -> None:
        """Come back whenever it is time, until a stop is asked for."""
        while self._signals.may_go_on(self._signals.token_refused):
            opens_seconds = self._opens_seconds
            if opens_seconds is None:
                self._clock.wait(self._signals.token_refused, IDLE_SECONDS)
            elif not self._clock.wait(self._signals.stop, max(0.0, opens_seconds - self._clock.monotonic_seconds())):
                self._come_back()

    def _come_back(self) -> None:
        identity = self._identity
        try:
            again = self._rejoin(identity)
        except ChannelError as error:
            _log.warning("not-let-in-again", reason=str(error))
        except RefusedError as error:
            _log.warning("not-let-in-again", reason=str(error), **asdict(KeptOut.of(identity.enrolment.device_id)))
        else:
            if again != identity:
                identity = again
                self._keep_changed(identity)
        with self._lock:
            self._identity, self._opens_seconds = identity, None

    def _keep_changed(self, identity: Identity) -> None:
        _log.info("let-in-again", device=identity.enrolment.device_id)
        try:
            self._keep(identity)
        except OSError as error:  # the next refusal brings it once more
            _log.error("identity-not-written", reason=str(error))

    def _write_down(self, since: float | None) -> None:
        try:
            self._note(since)
        except OSError as error:
            _log.error("refusal-not-noted", reason=str(error))
