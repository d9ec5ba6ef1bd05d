"""The composition root of `dctwire-server`. Everything the server is made of is put together here, and only here."""

import asyncio
import contextlib
import gc
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog

from cloud_server.answered import Observer, Observers
from cloud_server.api.device.plane import device_plane
from cloud_server.api.device.uploads import BodyLimits
from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.limits import HttpLimits
from cloud_server.api.http.protocol import TURNED_AWAY
from cloud_server.api.operator.plane import OperatorLimits, operator_plane
from cloud_server.api.ops.plane import ops_plane
from cloud_server.background import Background
from cloud_server.errors import ListenError, StorageError
from cloud_server.feedback.byte_sums import ByteSums
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.reasons import SampleCaps, SampleRules
from cloud_server.feedback.retention import Lifetimes, Retention
from cloud_server.feedback.sample_store import SampleStore
from cloud_server.feedback.sampler import Sampler
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.replicas import Lease, Replicas
from cloud_server.fleet.spending import Spending
from cloud_server.health import Health
from cloud_server.inference.admission import Admission
from cloud_server.inference.ingest import Ingest
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.storing import AnswerStore
from cloud_server.inference.warm_up import BatchLimits
from cloud_server.inference.workers import Workers
from cloud_server.listeners import Listener, ListenerSettings
from cloud_server.metrics import Metrics
from cloud_server.open_storage import engine_of, keys_of, open_blobs
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.label_sets import LabelSets
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.loading import Loading
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.report import Reports
from cloud_server.registry.signed_files import ServerKeys, SignedFiles
from cloud_server.registry.tuf_files import TufFiles
from cloud_server.settings import ServerSettings
from cloud_server.storage.data_lock import DataLock
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.sums import SHARDS

_log = structlog.get_logger()


class System:
    """One server process, built and not yet started. Must be built inside the running event loop."""

    def __init__(self, settings: ServerSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        keys = ServerKeys.read(keys_of(settings))
        self._lock = DataLock(settings.data, may_create=True)  # a replica's begins empty; its keys are elsewhere
        self._addresses_path = settings.data / "addresses.json"
        self._addresses_path.unlink(missing_ok=True)  # of a process that was killed
        self._is_stopping_by_force = asyncio.Event()
        self.metrics = Metrics()
        self.health = Health()
        self._open_state(loop)
        self._build_fleet()
        self._build_models(keys)
        self._build_feedback()
        self._build_inference(loop)
        self._background = Background(
            routing=self._routing,
            signed_files=self._signed_files,
            devices=self._devices,
            assignments=self._assignments,
            replicas=self._replicas,
            spending=self._spending,
            sample_store=self._sample_store,
        )
        self._bodies = BodyMemory(settings.bodies_max_bytes)
        tuf_files = TufFiles(self._database)
        self.device = self._device_listener(tuf_files)
        self.operator = self._operator_listener(tuf_files)
        self.ops = self._ops_listener()

    def _open_state(self, loop: asyncio.AbstractEventLoop) -> None:
        """The database, brought to this program's schema, and the blobs."""
        engine = engine_of(self._settings)
        migrate(engine)
        self._database = Database(engine, loop, self._settings.database_max_seconds)
        self._blobs = open_blobs(self._settings, "blobs")
        self._frames = open_blobs(self._settings, "frames")

    def _build_fleet(self) -> None:
        """The devices, what each may post and should run, and the processes that share the database."""
        settings = self._settings
        self._devices = Devices(self._database, time.time, time.monotonic)
        self._assignments = Assignments(self._database, time.time)
        self._replicas = Replicas(self._database, time.monotonic)
        rate = Rate(frames_per_second=settings.quota_frames_per_second, burst_frames=settings.quota_burst_frames)
        self._quota: Quota[int] = Quota(rate)
        self._spending = Spending(self._database, self._quota, self._replicas, time.monotonic)

    def _build_models(self, keys: ServerKeys) -> None:
        """What is published, the models of it that are in memory, and how more is published and assigned."""
        settings = self._settings
        limits = BatchLimits(frames=settings.batch_max_frames, seconds=settings.batch_max_seconds)
        loading = Loading(self._blobs, limits, settings.model_memory_bytes)
        self._loader = ThreadPoolExecutor(1, "load")
        self._models = ModelCache(
            loading.model, self._loader, settings.model_memory_bytes, self.metrics, time.monotonic
        )
        self._signed_files = SignedFiles(self._database, keys, time.time)
        self._catalogue = Catalogue(self._database)
        self._label_sets = LabelSets(self._catalogue, loading.labels, self._loader)
        self._routing = LiveRouting(self._catalogue, self._models, self._assignments.counters, time.monotonic)
        self._publishing = Publishing(
            database=self._database,
            signed_files=self._signed_files,
            catalogue=self._catalogue,
            label_sets=self._label_sets,
            routing=self._routing,
            models=self._models,
            loader=self._loader,
            now=time.time,
        )
        self._assigning = Assigning(
            catalogue=self._catalogue,
            routing=self._routing,
            models=self._models,
            replicas=self._replicas,
            assignments=self._assignments,
        )

    def _build_feedback(self) -> None:
        """Which frames are kept and for how long, and the labels that say what they really show."""
        settings = self._settings
        caps = SampleCaps(hourly=settings.sample_hourly_max, daily=settings.sample_daily_max)
        rules = SampleRules(
            random_rate=settings.sample_random_rate,
            confidence_below=settings.sample_confidence_below,
            rare_share=settings.sample_rare_share,
        )
        lifetimes = Lifetimes(
            samples_days=settings.samples_days, results_days=settings.results_days, report_days=settings.report_days
        )
        shard = self._replicas.share_of(SHARDS)
        self._byte_sums = ByteSums(self._database, shard, time.time)
        self._sample_store = SampleStore(self._database, self._frames, caps, settings.samples_max_bytes)
        self._sampler = Sampler(self._sample_store, self.metrics, rules, settings.recent_frames_max_bytes)
        self._retention = Retention(self._database, self._frames, lifetimes)
        self._samples = Samples(self._database, self._frames)
        self._labels = Labels(
            self._database, self.metrics, self._label_sets.of_family, self._sampler.contradicted, shard=shard
        )

    def _build_inference(self, loop: asyncio.AbstractEventLoop) -> None:
        """How frames are answered, and who is told of it."""
        settings = self._settings
        observers = (
            Observer(name="metrics", observe=self.metrics.count_answered),
            Observer(name="devices", observe=self._devices.touch_answered),
            Observer(name="sampler", observe=self._sampler.observe),
        )
        lanes = Lanes(
            lambda: self._routing.table,
            self._models,
            self._routing.refresh,
            self._assignments.counter,
            settings.families_of_own_size,
            settings.queue_max_frames,
        )
        self._workers = Workers(settings.threads, loop)
        self._resizers = Workers(settings.resizing_threads, loop)
        self._ingest = Ingest(
            AnswerStore(self._database, self.metrics, self._replicas.share_of(SHARDS)),
            lanes,
            self._workers,
            self._resizers,
            self.metrics,
            Observers(observers, self.metrics.count_observer_fault),
            settings.queue_max_frames,
            time.time_ns,
        )

    def _device_listener(self, tuf_files: TufFiles) -> Listener:
        settings = self._settings
        limits = BodyLimits(
            frame_max_bytes=settings.frame_max_bytes,
            batch_max_bytes=settings.batch_max_bytes,
            max_seconds=settings.body_max_seconds,
        )
        plane = device_plane(
            ingest=self._ingest,
            devices=self._devices,
            assignments=self._assignments,
            labels=self._labels,
            tuf_files=tuf_files,
            metrics=self.metrics,
            admission=Admission(self._quota, self._ingest, settings.wait_max_seconds, time.monotonic),
            limits=limits,
            versions=self._catalogue.counters,
            health=self.health,
        )
        return _listening(
            "device", self._at(settings.device_host, settings.device_port), partial(Listener, plane, meter=self._meter)
        )

    def _operator_listener(self, tuf_files: TufFiles) -> Listener:
        settings = self._settings
        plane = operator_plane(
            catalogue=self._catalogue,
            signed_files=self._signed_files,
            publishing=self._publishing,
            models=self._models,
            blobs=self._blobs,
            devices=self._devices,
            assignments=self._assignments,
            assigning=self._assigning,
            tuf_files=tuf_files,
            samples=self._samples,
            labels=self._labels,
            reports=Reports(self._database, self._catalogue, self._devices, self._byte_sums.save, time.time),
            limits=OperatorLimits(
                blob_max_bytes=settings.blob_max_bytes,
                blob_idle_seconds=settings.body_max_seconds,
                host_names=settings.operator_hosts,
            ),
        )
        return _listening(
            "operator",
            self._at(settings.operator_host, settings.operator_port),
            partial(Listener, plane, meter=_no_meter),
        )

    def _ops_listener(self) -> Listener:
        plane = ops_plane(
            metrics=self.metrics,
            health=self.health,
            before_scrape=self._set_gauges,
            require_life=self._require_life,
        )
        return _listening(
            "ops", self._at(self._settings.ops_host, self._settings.ops_port), partial(Listener, plane, meter=_no_meter)
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen, load what was published, say where; afterwards drain: no accepted request goes unanswered."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._start()
            works = (
                self._sampler.run(),
                self._byte_sums.run(),
                self._retention.run(partial(self._replicas.may_lead, Lease.RETENTION)),
                *self._background.works(),
            )
            tasks += [asyncio.create_task(work) for work in works]
            yield
        finally:
            await self._end(tasks)

    def addresses(self) -> dict[str, str]:
        """Where each plane listens."""
        return {"device": self.device.address, "operator": self.operator.address, "ops": self.ops.address}

    def force_stop(self) -> None:
        """End a drain at once; requests that are not answered yet are cut off."""
        self._is_stopping_by_force.set()
        for listener in (self.device, self.operator, self.ops):
            listener.force_stop()

    async def _start(self) -> None:
        gc.collect()
        gc.freeze()  # what is here now stays: no later collection walks it, which would hold up every request
        await self._signed_files.initialise()
        await self._devices.load()
        await self._assignments.load()
        for listener in (self.ops, self.device, self.operator):
            await listener.start()
        await self._routing.load()
        await self._signed_files.refresh()
        await self._sample_store.refresh()
        await self._background.heartbeat()
        self.health.is_started = True
        self._write_addresses()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        self.health.is_draining = True
        self._addresses_path.unlink(missing_ok=True)
        await self._drain()
        for task in tasks:
            task.cancel()
        with contextlib.suppress(StorageError):
            await self._devices.save()
            await self._byte_sums.save()
            await self._replicas.leave()
        await self.ops.drain()
        await asyncio.to_thread(self._close)

    async def _drain(self) -> None:
        """Go on until load balancers have seen that we are not ready, then answer what is left and accept no more."""
        for listener in (self.device, self.operator):
            listener.announce_leaving()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_stopping_by_force.wait(), self._settings.drain_delay_seconds)
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
        if exchange.payload is not None:
            self._byte_sums.add(exchange.payload, exchange.received_bytes, exchange.sent_bytes)

    def _require_life(self) -> None:
        self._database.require_turning(self._settings.stall_max_seconds)

    def _set_gauges(self) -> None:
        seqs = {family: assignment.seq for family, assignment in self._assignments.by_family().items()}
        self.metrics.set_fleet(self._devices.count_by_tables(), seqs)
        self.metrics.set_classifiers(
            (model.name, model.precision, model.cost_bytes, model.classifier.batch_max) for model in self._models
        )
        self.metrics.samples_bytes.set(self._sample_store.stored_bytes)
        self.metrics.queue_depth.set(self._ingest.depth)

    def _write_addresses(self) -> None:
        partial_path = self._addresses_path.with_suffix(".partial")
        partial_path.write_text(json.dumps(self.addresses()) + "\n")
        partial_path.replace(self._addresses_path)

    def _close(self) -> None:
        self._workers.close()
        self._resizers.close()
        self._models.clear()
        self._loader.shutdown()
        self._database.close()
        self._lock.release()


def _listening(plane: str, at: ListenerSettings, listen: Callable[[ListenerSettings], Listener]) -> Listener:
    try:
        return listen(at)
    except OSError as error:
        raise ListenError(plane, at.host, at.port, error.strerror or str(error)) from error


def _no_meter(_exchange: Exchange) -> None:
    """Only the device plane's bytes are counted."""


async def serve(settings: ServerSettings, announce: Callable[[System], None]) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal ends the drain."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    system = System(settings, loop)

    def on_signal() -> None:
        if stop.is_set():
            system.force_stop()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    async with system.running():
        announce(system)
        await stop.wait()
        _log.info("drain-started")
    _log.info("server-stopped")
