"""What a server does again and again beside answering: follow the other processes, be seen by them, keep house."""

from collections.abc import Callable, Coroutine
from typing import Any

from cloud_server.events.kinds import EventKind
from cloud_server.events.telling import Events
from cloud_server.feedback.sample_store import SampleStore
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.contact import Contact
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.heartbeats import Heartbeats
from cloud_server.fleet.replicas import Lease, Replicas
from cloud_server.fleet.settings_in_effect import SettingsInEffect
from cloud_server.fleet.spending import Spending
from cloud_server.operators.accounts import Operators
from cloud_server.operators.audit import Audit
from cloud_server.quality.drift import Drift
from cloud_server.registry.expiry import expiring
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.repeating import every

FOLLOW_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 5.0


class Background:
    """The works of one process on the state that it shares with others."""

    def __init__(
        self,
        *,
        routing: LiveRouting,
        signed_files: SignedFiles,
        devices: Devices,
        operators: Operators,
        audit: Audit,
        assignments: Assignments,
        settings: SettingsInEffect,
        diagnostics: Diagnostics,
        replicas: Replicas,
        spending: Spending,
        heartbeats: Heartbeats,
        contact: Contact,
        sample_store: SampleStore,
        drift: Drift,
        events: Events,
        now: Callable[[], float],
    ) -> None:
        self._routing = routing
        self._signed_files = signed_files
        self._devices = devices
        self._operators = operators
        self._audit = audit
        self._assignments = assignments
        self._settings = settings
        self._diagnostics = diagnostics
        self._replicas = replicas
        self._spending = spending
        self._heartbeats = heartbeats
        self._contact = contact
        self._sample_store = sample_store
        self._drift = drift
        self._events = events
        self._now = now
        self._told_of: set[str] = set()

    def works(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """One endless work for each task; following may wait for a classifier, and holds up no heartbeat."""
        return (
            every(FOLLOW_SECONDS, self.follow, "housekeeping-failed"),
            every(FOLLOW_SECONDS, self._devices.follow, "housekeeping-failed"),
            every(FOLLOW_SECONDS, self._operators.follow, "housekeeping-failed"),
            every(FOLLOW_SECONDS, self.heartbeat, "housekeeping-failed"),
            every(HOUSEKEEPING_SECONDS, self._drift.follow, "housekeeping-failed"),
            every(HOUSEKEEPING_SECONDS, self.housekeep, "housekeeping-failed"),
        )

    async def follow(self) -> None:
        """Take over what other processes published, assigned and set.

        Raises:
            StorageError: the database does not answer.
        """
        await self._routing.sync()
        await self._assignments.load()
        await self._settings.load()
        await self._diagnostics.load()

    async def heartbeat(self) -> None:
        """Tell other processes that this one is alive, what it serves, and which keys it lacks.

        Raises:
            StorageError: the database does not answer.
        """
        await self._replicas.note(self._routing.serves(), self._signed_files.missing_keys)

    async def housekeep(self) -> None:
        """Save when devices and tokens were seen, and what is spent; where it is our turn, keep the timestamp fresh.

        Raises:
            StorageError: the database does not answer.
        """
        await self._devices.save()
        await self._operators.save()
        await self._audit.refresh()
        await self._spending.share()
        await self._heartbeats.refresh()
        await self._contact.refresh()
        await self._sample_store.refresh()
        await self._sign()
        self._tell_of_expiry()

    async def _sign(self) -> None:
        """Where it is our turn, keep the timestamps fresh; without the keys for it, let others have the turn."""
        await self._signed_files.look()
        if self._signed_files.missing_keys:
            await self._replicas.give_up(Lease.SIGNING)
        elif await self._replicas.may_lead(Lease.SIGNING):
            await self._signed_files.refresh()

    def _tell_of_expiry(self) -> None:
        """Tell once of signed metadata that expire soon; where they were renewed meanwhile, of the new ones then."""
        for role, moment in expiring(self._signed_files.expiries, self._now()).items():
            once = f"{role} {moment:.0f}"
            if once not in self._told_of:
                self._told_of.add(once)
                self._events.tell(EventKind.METADATA_EXPIRING, role, {"expires_at": int(moment)}, once=once)
