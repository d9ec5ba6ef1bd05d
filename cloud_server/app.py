"""The composition root of `dctwire-server`. Everything the server is made of is put together here, and only here."""

import asyncio
import contextlib
import gc
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog

from cloud_server.answered import Observer, Observers
from cloud_server.api.device.admission import Admission, BodyLimits
from cloud_server.api.device.plane import device_plane
from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.limits import HttpLimits
from cloud_server.api.http.protocol import TURNED_AWAY
from cloud_server.api.operator.plane import OperatorLimits, operator_plane
from cloud_server.api.ops.plane import Health, ops_plane
from cloud_server.api.tuf_files import TufFiles
from cloud_server.errors import StorageError
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.reasons import SampleCaps, SampleRules
from cloud_server.feedback.retention import Lifetimes, Retention
from cloud_server.feedback.sample_store import SampleStore
from cloud_server.feedback.sampler import Sampler
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.replicas import Replicas
from cloud_server.fleet.spending import Spending
from cloud_server.inference.ingest import Ingest
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.storing import AnswerStore
from cloud_server.inference.warm_up import BatchLimits
from cloud_server.inference.workers import Workers
from cloud_server.listeners import Listener, ListenerSettings
from cloud_server.metrics import Metrics
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.loading import Loading
from cloud_server.registry.registry import Registry
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.settings import ServerSettings
from cloud_server.state import engine_of, keys_of, open_blobs
from cloud_server.storage.blobs import Blobs
from cloud_server.storage.data_lock import DataLock
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate

HOUSEKEEPING_SECONDS = 5.0
FOLLOW_SECONDS = 1.0
_log = structlog.get_logger()


class System:
    """One server process, built and not yet started. Must be built inside the running event loop."""

    def __init__(self, settings: ServerSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        signed_files = SignedFiles(keys_of(settings))
        self._lock = DataLock(settings.data)
        self._addresses_path = settings.data / "addresses.json"
        self._addresses_path.unlink(missing_ok=True)  # of a process that was killed
        self.metrics = Metrics()
        self.health = Health()
        self._is_in_a_hurry = asyncio.Event()
        self._workers = Workers(settings.threads, loop)
        self._loader = ThreadPoolExecutor(1, "load")
        engine = engine_of(settings)
        migrate(engine)
        self._database = Database(engine, loop, settings.database_max_seconds)
        self._blobs = open_blobs(settings, "blobs")
        self._devices = Devices(self._database)
        self._assignments = Assignments(self._database, time.time)
        self._replicas = Replicas(self._database)
        loading = Loading(
            self._blobs,
            BatchLimits(frames=settings.batch_max_frames, seconds=settings.batch_max_seconds),
            settings.model_memory_bytes,
        )
        self._sessions = ModelCache(loading.model, self._loader, settings.model_memory_bytes, self.metrics)
        self._registry = Registry(
            self._database, signed_files, self._sessions, loading.labels, self._loader, lambda: datetime.now(UTC)
        )
        lanes = Lanes(
            lambda: self._registry.serving, self._sessions, self._registry.look_again, settings.queue_max_frames
        )
        self._frames = open_blobs(settings, "frames")
        self._sample_store = sample_store(settings, self._database, self._frames)
        self._sampler = Sampler(
            self._sample_store, self.metrics, sample_rules(settings), settings.recent_frames_max_bytes
        )
        lifetimes = Lifetimes(samples_days=settings.samples_days, results_days=settings.results_days)
        self._retention = Retention(self._database, self._frames, lifetimes)
        observers = Observers(
            [
                Observer(name="metrics", observe=self.metrics.count_answered),
                Observer(name="devices", observe=self._devices.touch_answered),
                Observer(name="sampler", observe=self._sampler.observe),
            ],
            self.metrics.count_observer_fault,
        )
        answers = AnswerStore(self._database, self.metrics)
        self._ingest = Ingest(answers, lanes, self._workers, self.metrics, observers, settings.queue_max_frames)
        quota: Quota[int] = Quota(Rate(settings.quota_frames_per_second, settings.quota_burst_frames))
        self._spending = Spending(self._database, quota, self._replicas)
        admission = Admission(
            BodyLimits(settings.frame_max_bytes, settings.batch_max_bytes, settings.body_max_seconds),
            quota,
            self._ingest,
            settings.wait_max_seconds,
        )
        self._bodies = BodyMemory(settings.bodies_max_bytes)
        labels = Labels(self._database, self.metrics, self._registry.label_set, self._sampler.contradicted)
        files = TufFiles(self._database)
        device_app = device_plane(
            self._ingest,
            self._devices,
            self._assignments,
            labels,
            files,
            self.metrics,
            admission,
            self._registry.counters,
            self.health,
        )
        assigning = Assigning(registry=self._registry, replicas=self._replicas, assignments=self._assignments)
        operator_app = operator_plane(
            self._registry,
            self._sessions,
            self._blobs,
            self._devices,
            self._assignments,
            assigning,
            files,
            Samples(self._database, self._frames),
            labels,
            OperatorLimits(settings.blob_max_bytes, settings.body_max_seconds, settings.operator_hosts),
        )
        ops_app = ops_plane(self.metrics, self.health, self._set_gauges, self._require_life)
        self.device = Listener(device_app, self._at(settings.device_host, settings.device_port), self._meter)
        self.operator = Listener(operator_app, self._at(settings.operator_host, settings.operator_port), _no_meter)
        self.ops = Listener(ops_app, self._at(settings.ops_host, settings.ops_port), _no_meter)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen, load what was published, say where; afterwards drain: no accepted request goes unanswered."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._start()
            works = (
                self._sampler.run(),
                self._retention.run(self._replicas.may_lead),
                _every(FOLLOW_SECONDS, self._follow),
                _every(FOLLOW_SECONDS, self._tell),
                _every(HOUSEKEEPING_SECONDS, self._keep),
            )
            tasks += [asyncio.create_task(work) for work in works]
            yield
        finally:
            await self._end(tasks)

    def addresses(self) -> dict[str, str]:
        """Where each plane listens."""
        return {"device": self.device.address, "operator": self.operator.address, "ops": self.ops.address}

    def hurry(self) -> None:
        """End a drain at once; requests that are not answered yet are cut off."""
        self._is_in_a_hurry.set()
        for listener in (self.device, self.operator, self.ops):
            listener.force_stop()

    async def _start(self) -> None:
        gc.collect()
        gc.freeze()  # what is here now stays: no later collection walks it, which would hold up every request
        await self._registry.initialise()
        await self._devices.load()
        await self._assignments.load()
        for listener in (self.ops, self.device, self.operator):
            await listener.start()
        await self._registry.load({family: one.counter for family, one in self._assignments.by_family().items()})
        await self._registry.refresh()
        await self._sample_store.refresh()
        await self._replicas.note(self._registry.serves())
        self.health.is_started = True
        self._write_addresses()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self.health.is_draining = True
        self._addresses_path.unlink(missing_ok=True)
        await self._take_leave()
        for task in tasks:
            task.cancel()
        with contextlib.suppress(StorageError):
            await self._devices.save()
            await self._replicas.leave()
        await self.ops.drain()
        await asyncio.to_thread(self._close)

    async def _take_leave(self) -> None:
        """Stay until everybody has seen that we are not ready, then answer what is left and accept no more."""
        for listener in (self.device, self.operator):
            listener.announce_leaving()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_in_a_hurry.wait(), self._settings.drain_delay_seconds)
        await asyncio.gather(self.device.drain(), self.operator.drain())

    def _at(self, host: str, port: int) -> ListenerSettings:
        settings = self._settings
        http = HttpLimits(
            head_max_seconds=settings.head_max_seconds,
            write_max_seconds=settings.write_max_seconds,
            connections_max=settings.connections_max,
            bodies=self._bodies,
        )
        return ListenerSettings(
            host=host,
            port=port,
            http=http,
            keep_alive_seconds=settings.keep_alive_seconds,
            drain_max_seconds=settings.drain_max_seconds,
        )

    def _meter(self, exchange: Exchange) -> None:
        if exchange.route == TURNED_AWAY:
            self.metrics.count_refused_connection()
        self.metrics.count_exchange(exchange.route, exchange.received_bytes, exchange.sent_bytes, exchange.payload)

    def _require_life(self) -> None:
        self._database.require_turning(self._settings.stall_max_seconds)

    def _set_gauges(self) -> None:
        seqs = {family: assignment.seq for family, assignment in self._assignments.by_family().items()}
        self.metrics.set_fleet(self._devices.count_by_tables(), seqs)
        self.metrics.set_classifiers(
            (model.name, model.precision, model.cost_bytes, model.classifier.batch_max) for model in self._sessions
        )
        self.metrics.samples_bytes.set(self._sample_store.stored_bytes)
        self.metrics.queue_depth.set(self._ingest.depth)

    async def _follow(self) -> None:
        """Take over what other processes published and assigned."""
        await self._registry.catch_up()
        await self._assignments.load()

    async def _tell(self) -> None:
        """Tell other processes what this one serves; beside `_follow`, which may wait for a classifier."""
        await self._replicas.note(self._registry.serves())

    async def _keep(self) -> None:
        """Save when devices were seen; where it is our turn, keep the timestamp fresh."""
        await self._devices.save()
        await self._spending.share()
        await self._sample_store.refresh()
        if await self._replicas.may_lead():
            await self._registry.refresh()

    def _write_addresses(self) -> None:
        partial_path = self._addresses_path.with_suffix(".partial")
        partial_path.write_text(json.dumps(self.addresses()) + "\n")
        partial_path.replace(self._addresses_path)

    def _close(self) -> None:
        self._workers.close()
        self._sessions.clear()
        self._loader.shutdown()
        self._database.close()
        self._lock.release()


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do some work again and again; what fails is logged, and tried again the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - tried again in a few seconds
            _log.error("housekeeping-failed", exc_info=error)


def _no_meter(_exchange: Exchange) -> None:
    """Only the device plane's bytes are counted."""


def sample_store(settings: ServerSettings, database: Database, frames: Blobs) -> SampleStore:
    """The store of samples, with its limits."""
    caps = SampleCaps(hourly=settings.sample_hourly_max, daily=settings.sample_daily_max)
    return SampleStore(database, frames, caps, settings.samples_max_bytes)


def sample_rules(settings: ServerSettings) -> SampleRules:
    """The rules by which frames are kept as samples."""
    return SampleRules(
        random_rate=settings.sample_random_rate,
        confidence_below=settings.sample_confidence_below,
        rare_share=settings.sample_rare_share,
    )


async def serve(settings: ServerSettings, announce: Callable[[System], None]) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal ends the drain."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    system = System(settings, loop)

    def heed() -> None:
        if stop.is_set():
            system.hurry()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heed)
    async with system.running():
        announce(system)
        await stop.wait()
        _log.info("draining")
    _log.info("stopped")
