"""Follows settings from afar: those that the assignment names are fetched, verified, kept, and put into effect.

Whatever is wrong with them costs nothing but themselves: those before stay in effect, and capture, uploads and updates
go on. What does not verify now is tried again, for metadata expire and are renewed; what does not fit never is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from sensor_client.remote_settings.bounding import Orders, RemoteLimits, bounded
from sensor_client.remote_settings.record import SettingsFile, SettingsRecord
from shared.bundle import DeviceSettings, settings_counter
from shared.errors import ChannelError, DctwireError, PeerError, RefusedError
from shared.trust import TrustError, VerifiedTarget
from shared.wire import REASON_MAX_CHARACTERS

FLOOR_SECONDS = 10.0
"""Between two attempts to fetch the same, at least."""
UNVERIFIED_SECONDS = 3600.0
NOT_ALLOWED = "not-allowed"

_log = get_logger(__name__)
Download = Callable[[str], VerifiedTarget]


@dataclass(frozen=True, kw_only=True)
class OwnOrders:
    """What a device has itself: its family, its orders, and how far others may change them."""

    family: str
    orders: Orders
    limits: RemoteLimits


class FollowedSettings:
    """The settings that are in effect. One thread follows; any thread may read `record`."""

    def __init__(
        self,
        *,
        file: SettingsFile,
        own: OwnOrders,
        apply: Callable[[Orders], None],
        changed: Callable[[], None],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """Put into effect what was in effect when the program ended.

        Args:
            apply: has the device do so from now on.
            changed: there is something to tell.
        """
        self._file = file
        self._own = own
        self._apply = apply
        self._changed = changed
        self._clock = clock
        self._random = random
        self._attempt = 0
        self._due_seconds = clock.monotonic_seconds()
        kept = file.load()  # what was refused is looked at anew: program or configuration may have changed
        document = kept.document if own.limits.is_allowed else None
        self._record = SettingsRecord(named=kept.named, document=document)
        self._put_into_effect(self._record.settings)

    @property
    def record(self) -> SettingsRecord:
        """What is named and in effect."""
        return self._record

    @property
    def counter(self) -> int:
        """The number of those that are in effect; 0: of none."""
        settings = self._record.settings
        return 0 if settings is None else settings.counter

    def named(self, target: str | None) -> None:
        """The server names these settings, or none."""
        if target == self._record.named:
            if self.seconds_left() == math.inf and self._is_in_effect(target):
                self._keep(SettingsRecord(named=target, document=self._record.document))
            return
        self._attempt, self._due_seconds = 0, self._clock.monotonic_seconds()
        if target is None:
            self._settle(SettingsRecord(), None)
        elif settings_counter(target) is None:  # nor is it repeated: it may be anything
            self._refuse("invalid-settings", "the server names what is no path of settings")
        else:
            self._keep(SettingsRecord(named=target, document=self._record.document))

    def _is_in_effect(self, target: str | None) -> bool:
        settings = self._record.settings
        return settings is not None and settings.target_path == target and self._record.code is not None

    def seconds_left(self) -> float:
        """How long to wait before `follow` has something to do."""
        if self._record.is_settled:
            return math.inf
        return max(0.0, self._due_seconds - self._clock.monotonic_seconds())

    def follow(self, download: Download) -> None:
        """Fetch what is named and not in effect, where it is time for that.

        Args:
            download: verifies and fetches a target, as `TrustClient.download`.
        """
        named = self._record.named
        if named is None or self.seconds_left() > 0:
            return
        if self._own.limits.is_allowed:
            self._fetch(named, download)
        else:
            self._refuse(NOT_ALLOWED, "this device's configuration lets nobody set anything from afar")

    def _fetch(self, named: str, download: Download) -> None:
        try:
            self._take(download(named), named)
        except TrustError as error:
            self._put_off(error, UNVERIFIED_SECONDS)
            self._tell(error.code, str(error), is_open=True)
        except (ChannelError, RefusedError, OSError) as error:
            self._put_off(error, FLOOR_SECONDS)
        except (PeerError, ValueError) as error:
            self._refuse(getattr(error, "code", None) or "invalid-settings", str(error))

    def _take(self, target: VerifiedTarget, named: str) -> None:
        settings = DeviceSettings.from_bytes(target.data)
        settings.require_entry(named, target.custom, self._own.family)
        bounded(self._own.orders, self._own.limits, settings)  # or they are refused
        self._settle(SettingsRecord(named=named, document=target.data.decode()), settings)
        _log.info("settings-in-effect", settings=named, **settings.said)

    def _settle(self, record: SettingsRecord, settings: DeviceSettings | None) -> None:
        if settings is None and self._record.document is not None:
            _log.info("settings-withdrawn", settings=self._record.named)
        self._put_into_effect(settings)
        self._keep(record)
        self._changed()

    def _put_into_effect(self, settings: DeviceSettings | None) -> None:
        try:
            orders = bounded(self._own.orders, self._own.limits, settings)
        except DctwireError as error:  # what was in effect under another version of this program
            _log.error("settings-not-in-effect", reason=str(error))
            orders = self._own.orders
        self._apply(orders)

    def _refuse(self, code: str, reason: str) -> None:
        _log.error("settings-refused", settings=self._record.named, code=code, reason=reason[:REASON_MAX_CHARACTERS])
        self._tell(code, reason, is_open=False)

    def _tell(self, code: str, reason: str, *, is_open: bool) -> None:
        is_news = code != self._record.code
        why = {"code": code, "reason": reason[:REASON_MAX_CHARACTERS], "is_open": is_open}
        self._keep(self._record.model_copy(update=why))
        if is_news:
            self._changed()

    def _put_off(self, error: Exception, least_seconds: float) -> None:
        retry_after = error.retry_after_seconds if isinstance(error, ChannelError) else None
        wait_seconds = least_seconds + delay_seconds(self._attempt, retry_after, self._random)
        _log.warning("settings-put-off", reason=str(error), retry_in_seconds=round(wait_seconds, 3))
        self._attempt += 1
        self._due_seconds = self._clock.monotonic_seconds() + wait_seconds

    def _keep(self, record: SettingsRecord) -> None:
        """In memory, and on disk where that takes it: what is lost there is asked for anew after a restart."""
        self._record = record
        try:
            self._file.save(record)
        except OSError as error:
            _log.error("settings-not-kept", reason=str(error))
