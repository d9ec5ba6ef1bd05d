"""The composition root of `dctwire-server`: how one process starts, runs and ends, and the only module that has clocks.

`parts.py` constructs what the server is made of, and `planes.py` what it listens with.
"""

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from cloud_server.api.ops.plane import Gauges
from cloud_server.background import FOLLOW_SECONDS, Background
from cloud_server.certificates import certificate_at
from cloud_server.errors import DatabaseReplacedError, OnlineKeyMissingError, StorageError
from cloud_server.events.endpoints import endpoints_of
from cloud_server.fleet.replicas import Lease
from cloud_server.health import Health
from cloud_server.logs import LogCounts
from cloud_server.open_storage import keys_of
from cloud_server.operators.first_admin import make_first_admin
from cloud_server.parts import Clocks, Parts
from cloud_server.planes import Planes
from cloud_server.registry.published_figures import expected_of, newest_of
from cloud_server.registry.server_keys import ServerKeys
from cloud_server.settings import ServerSettings
from cloud_server.storage.backup import last_backup_at
from cloud_server.storage.data_lock import DataLock

_TLS_ADVICE = "set TLS_CERTIFICATE and TLS_KEY, or BEHIND_PROXY where a proxy before the server speaks TLS"
_log = structlog.get_logger()


class System:
    """One server process, built and not yet started. Must be built inside the running event loop."""

    def __init__(self, settings: ServerSettings, loop: asyncio.AbstractEventLoop, log_counts: LogCounts) -> None:
        self._settings = settings
        self._log_counts = log_counts
        keys = ServerKeys(keys_of(settings))
        self._certificate = certificate_at(settings.tls_certificate, settings.tls_key)
        self._lock = DataLock(settings.data, may_create=True)  # a replica's begins empty; its keys are elsewhere
        try:
            self._build(settings, keys, loop)
        except BaseException:
            self._lock.release()  # the next try, perhaps in this process, finds the folder free
            raise

    def _build(self, settings: ServerSettings, keys: ServerKeys, loop: asyncio.AbstractEventLoop) -> None:
        self._addresses_path = settings.data / "addresses.json"
        self._addresses_path.unlink(missing_ok=True)  # of a process that was killed
        self._is_stopping_by_force = asyncio.Event()
        self._health = Health()
        clocks = Clocks(now=time.time, now_ns=time.time_ns, monotonic=time.monotonic)
        endpoints = endpoints_of(settings.webhooks, os.environ)
        self._parts = Parts(settings, keys, clocks, loop, endpoints)
        self._background = Background(
            routing=self._parts.routing,
            signed_files=self._parts.signed_files,
            devices=self._parts.devices,
            operators=self._parts.operators,
            audit=self._parts.audit,
            assignments=self._parts.assignments,
            settings=self._parts.settings_in_effect,
            diagnostics=self._parts.diagnostics,
            replicas=self._parts.replicas,
            spending=self._parts.spending,
            heartbeats=self._parts.heartbeats,
            contact=self._parts.contact,
            sample_store=self._parts.sample_store,
            drift=self._parts.drift,
            events=self._parts.events,
            now=clocks.now,
        )
        gauges = Gauges(on_loop=self._set_loop_gauges, in_thread=self._set_gauges)
        self._planes = Planes(settings, self._parts, self._health, self._certificate, gauges, clocks)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen, load what was published, say where; afterwards drain: no accepted request goes unanswered."""
        tasks: list[asyncio.Task[None]] = []
        self._tell_of_open_planes()
        try:
            await self._start()
            tasks += [asyncio.create_task(work) for work in self._works()]
            yield
        finally:
            await self._end(tasks)

    def _works(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (
            self._parts.ingest.watch(),
            self._follow_certificate(),
            self._planes.situation.run(),
            self._planes.following.run(),
            self._parts.sampler.run(),
            self._parts.byte_sums.run(),
            self._parts.traffic.run(),
            self._parts.estimates.run(),
            self._parts.baselines.run(),
            self._parts.rollout_counts.run(),
            self._parts.rollouts.run(),
            self._parts.retention.run(partial(self._parts.replicas.may_lead, Lease.RETENTION)),
            self._parts.events.run(),
            self._parts.webhooks.run(),
            *self._background.works(),
        )

    def addresses(self) -> dict[str, str]:
        """Where each plane listens."""
        return self._planes.addresses()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set.

        Raises:
            DatabaseReplacedError: a backup was restored meanwhile; what is under way is cut off.
        """
        replaced = self._parts.replicas.database_replaced
        waiting = [asyncio.create_task(event.wait()) for event in (stop, replaced)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if replaced.is_set():
            _log.error("database-replaced")
            self.force_stop()
            raise DatabaseReplacedError

    def force_stop(self) -> None:
        """End a drain at once; requests that are not answered yet are cut off."""
        self._is_stopping_by_force.set()
        self._planes.force_stop()

    async def _start(self) -> None:
        gc.collect()
        gc.freeze()  # what is here now stays: no later collection walks it, which would hold up every request
        await self._parts.signed_files.initialise()
        await self._parts.devices.load()
        await make_first_admin(self._parts.operators, self._settings.data)
        await self._parts.operators.follow()
        await self._parts.audit.check()
        await self._parts.assignments.load()
        await self._parts.settings_in_effect.load()
        await self._parts.diagnostics.load()
        for listener in (self._planes.ops, self._planes.device, self._planes.operator):
            await listener.start()
        await self._parts.routing.load()
        with contextlib.suppress(OnlineKeyMissingError):  # told of by the heartbeat, and by what others ask
            await self._parts.signed_files.refresh()
        await self._parts.signed_files.look()
        await self._parts.sample_store.refresh()
        await self._background.heartbeat()
        self._health.is_started = True
        self._write_addresses()

    async def _follow_certificate(self) -> None:
        """Take over a renewed certificate for the next connections."""
        while self._certificate is not None:
            await asyncio.sleep(FOLLOW_SECONDS)
            await asyncio.to_thread(self._certificate.refresh, time.time())

    def _tell_of_open_planes(self) -> None:
        """Say where everybody who passes between can read tokens and frames, and change them."""
        self._parts.metrics.set_open_planes(self._planes.open())
        for plane, is_open in self._planes.open().items():
            if is_open:
                _log.warning("plane-without-tls", plane=plane, address=self.addresses()[plane], advice=_TLS_ADVICE)

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self._health.is_draining = True
        self._addresses_path.unlink(missing_ok=True)
        await self._drain()
        for task in tasks:
            task.cancel()
        if not self._parts.replicas.database_replaced.is_set():
            await self._save()
        await self._planes.ops.drain()
        await asyncio.to_thread(self._close)

    async def _save(self) -> None:
        with contextlib.suppress(StorageError):
            await self._parts.devices.save()
            await self._parts.operators.save()
            await self._parts.byte_sums.save()
            await self._parts.traffic.save()
            await self._parts.baselines.save()
            await self._parts.rollout_counts.save()
            await self._parts.events.save()
            await self._parts.replicas.leave()

    async def _drain(self) -> None:
        """Go on until load balancers have seen that we are not ready, then answer what is left and accept no more."""
        await self._planes.announce_leaving()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_stopping_by_force.wait(), self._settings.drain_delay_seconds)
        await asyncio.gather(self._planes.device.drain(), self._planes.operator.drain())

    def _set_gauges(self) -> None:
        self._set_fleet_gauges()
        self._set_classifier_gauges()
        self._parts.metrics.set_drift(self._parts.drift.figures())
        self._parts.metrics.samples_bytes.set(self._parts.sample_store.stored_bytes)
        for role, moment in self._parts.signed_files.expiries.items():
            self._parts.metrics.tuf_expiry.labels(role).set(moment)
        self._parts.metrics.missing_online_keys.set(len(self._parts.signed_files.missing_keys))
        self._set_own_gauges()
        self._set_upkeep_gauges()

    def _set_loop_gauges(self) -> None:
        self._parts.metrics.queue_depth.set(self._parts.ingest.depth)
        self._parts.metrics.queue_oldest.set(self._parts.ingest.oldest_seconds)

    def _set_fleet_gauges(self) -> None:
        seqs = {family: assignment.seq for family, assignment in self._parts.assignments.by_family().items()}
        assignments = self._parts.assignments
        by_tables = self._parts.devices.count_by_tables(assignments.is_quarantined)
        self._parts.metrics.set_fleet(by_tables, seqs, assignments.count_held())
        told = self._parts.heartbeats.told
        clones = self._parts.devices.count_clones()
        self._parts.metrics.set_told(told.programs, told.outcomes, told.stale, clones)
        self._parts.metrics.set_trials(self._parts.heartbeats.trials)
        contact = self._parts.contact
        self._parts.metrics.set_contact(contact.devices, contact.silent, contact.skewed)
        self._parts.metrics.set_rollouts(self._parts.rollouts.figures)

    def _set_upkeep_gauges(self) -> None:
        metrics, registered = self._parts.metrics, self._parts.catalogue.registered()
        metrics.set_published(newest_of(registered), expected_of(registered))
        metrics.take_log(self._log_counts.events(), self._log_counts.dropped)
        disk = shutil.disk_usage(self._settings.data)
        metrics.disk_free.set(disk.free)
        metrics.disk_size.set(disk.total)
        metrics.last_backup.set(last_backup_at(self._settings.data) or 0)

    def _set_classifier_gauges(self) -> None:
        self._parts.metrics.set_classifiers(
            loaded=[
                (model.name, model.precision, model.cost_bytes, model.classifier.batch_max)
                for model in self._parts.models
            ],
            failed=self._parts.models.failed(),
        )

    def _set_own_gauges(self) -> None:
        self._parts.metrics.lost_threads.set(self._parts.ingest.lost_threads + self._parts.loader.lost)
        if self._certificate is not None:
            self._parts.metrics.certificate_expiry.set(self._certificate.expires_at)
            self._parts.metrics.certificate_failures.set(self._certificate.failures)

    def _write_addresses(self) -> None:
        partial_path = self._addresses_path.with_suffix(".partial")
        partial_path.write_text(json.dumps(self.addresses()) + "\n")
        partial_path.replace(self._addresses_path)

    def _close(self) -> None:
        self._parts.close()
        self._lock.release()


async def serve(settings: ServerSettings, announce: Callable[[System], None], log_counts: LogCounts) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal ends the drain.

    Raises:
        DatabaseReplacedError: a backup was restored under it.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    system = System(settings, loop, log_counts)

    def on_signal() -> None:
        if stop.is_set():
            system.force_stop()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    async with system.running():
        announce(system)
        await system.run_until(stop)
        _log.info("drain-started")
    _log.info("server-stopped")
