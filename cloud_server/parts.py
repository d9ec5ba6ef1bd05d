"""What a server is made of: state, fleet, models, feedback and inference, each built here and given what it uses."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.answered import Observer, Observers
from cloud_server.events.delivering import Webhooks
from cloud_server.events.endpoints import Endpoint
from cloud_server.events.kinds import EventKind
from cloud_server.events.posting import Poster
from cloud_server.events.telling import Events
from cloud_server.feedback.byte_sums import ByteSums
from cloud_server.feedback.clock import Clock
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.latest_frames import LatestFrames
from cloud_server.feedback.reasons import SampleCaps, SampleRules
from cloud_server.feedback.retention import Lifetimes, Retention
from cloud_server.feedback.reviewing import Reviewing
from cloud_server.feedback.sample_store import SampleStore
from cloud_server.feedback.sampler import Sampler
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.clones import Clones
from cloud_server.fleet.contact import Contact
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.heartbeats import Heartbeats
from cloud_server.fleet.listing import Listing
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.replicas import Lease, Replicas
from cloud_server.fleet.settings_in_effect import SettingsInEffect
from cloud_server.fleet.spending import Spending
from cloud_server.fleet.traffic import Traffic
from cloud_server.fleet.vouchers import Vouchers
from cloud_server.inference.admission import Admission
from cloud_server.inference.ingest import Ingest
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.loader import Loader
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.storing import AnswerStore
from cloud_server.inference.warm_up import BatchLimits
from cloud_server.inference.watchdog import Watchdog, WatchLimits
from cloud_server.inference.workers import Workers
from cloud_server.metrics import Metrics
from cloud_server.open_storage import engine_of, open_blobs
from cloud_server.operators.accounts import Operators
from cloud_server.operators.administration import Administration
from cloud_server.operators.audit import Audit
from cloud_server.operators.logins import Logins
from cloud_server.operators.passwords import Passwords
from cloud_server.operators.sessions import Lifetime, Sessions
from cloud_server.quality.baselines import Baselines
from cloud_server.quality.choosing import Choosing
from cloud_server.quality.drift import Drift, DriftChange
from cloud_server.quality.estimates import Estimates
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.configuring import Configuring
from cloud_server.registry.daily import DailySums
from cloud_server.registry.label_sets import LabelSets
from cloud_server.registry.live_routing import LiveRouting
from cloud_server.registry.loading import Loading
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.references import References
from cloud_server.registry.releasing import Releasing
from cloud_server.registry.report import Reports
from cloud_server.registry.server_keys import ServerKeys
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.registry.tuf_files import TufFiles
from cloud_server.registry.versions import Versions
from cloud_server.rollout.counting import Counting
from cloud_server.rollout.engine import Engine
from cloud_server.rollout.steering import Steering
from cloud_server.settings import ServerSettings
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.sums import HOUR_SECONDS, SHARDS
from cloud_server.storage.witness import Facts
from shared.wire import COMPANIONS, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What time it is: seconds and nanoseconds since 1970, and seconds of a clock that never steps back."""

    now: Callable[[], float]
    now_ns: Callable[[], int]
    monotonic: Callable[[], float]


class Parts:
    """The parts of one server process, joined to each other and not yet started.

    Must be built inside the running event loop.

    Raises:
        StorageError: the database does not answer.
        SchemaError: the database was made by a newer program, or by none of ours.
        DatabaseUrlError: the database's URL is not one.
        TrustError: the key of vouchers is damaged.
    """

    def __init__(
        self,
        settings: ServerSettings,
        keys: ServerKeys,
        clocks: Clocks,
        loop: asyncio.AbstractEventLoop,
        endpoints: Sequence[Endpoint] = (),
    ) -> None:
        self._settings = settings
        self._clocks = clocks
        self.metrics = Metrics()
        self._open_state(loop)
        self.events = Events(self.database, clocks.now)
        self._build_fleet(keys)
        self._build_webhooks(endpoints)
        self._build_operators()
        self._build_models(keys)
        self._build_rollouts()
        self._build_quality()
        self._build_feedback()
        self._build_views()
        self._build_inference(loop)

    def close(self) -> None:
        """End the threads, let go of the models, and close the database."""
        self.ingest.stop_runs()
        self._workers.close()
        self._resizers.close()
        self.models.clear()
        self.loader.shutdown()
        self._passwords.close()
        self.database.close()

    def _open_state(self, loop: asyncio.AbstractEventLoop) -> None:
        """The database, brought to this program's schema, and the blobs."""
        engine = engine_of(self._settings)
        migrate(engine)
        self.database = Database(engine, loop, self._settings.database_max_seconds)
        self.blobs = open_blobs(self._settings, "blobs")
        self._frames = open_blobs(self._settings, "frames")

    def _build_operators(self) -> None:
        """Who operates the server, with what they are let in, and the record of what they do."""
        clocks, settings = self._clocks, self._settings
        self.operators = Operators(self.database, clocks.now, clocks.monotonic)
        self.administration = Administration(self.database, self.operators, clocks.now)
        broken = partial(self._tell_hourly, EventKind.AUDIT_BROKEN)
        self.audit = Audit(self.database, self.metrics, clocks.now, broken)
        self._passwords = Passwords()
        lifetime = Lifetime(3600 * settings.console_session_hours, 3600 * settings.console_idle_hours)
        self.sessions = Sessions(self.database, lifetime, clocks.now)
        self.logins = Logins(self.database, self._passwords, lifetime, clocks.now, clocks.monotonic)

    def _build_fleet(self, keys: ServerKeys) -> None:
        """The devices, what each may post and should run, and the processes that share the database."""
        settings = self._settings
        self.devices = Devices(self.database, self._clocks.now, self._clocks.monotonic, Vouchers.of_folder(keys.folder))
        suspected = partial(self.events.witness, EventKind.CLONE_SUSPECTED)
        self.clones = Clones(self.devices, self._clocks.monotonic, suspected)
        self.heartbeats = Heartbeats(self.database, self.devices, self.clones, self._clocks.now, self._clocks.monotonic)
        self.assignments = Assignments(self.database, self._clocks.now)
        self.contact = Contact(self.database, self.assignments.told, self._clocks.now, self._clocks.monotonic)
        self.diagnostics = Diagnostics(self.database, self._clocks.now)
        self.settings_in_effect = SettingsInEffect(self.database, self._clocks.now)
        self.traffic = Traffic(self.database, self._clocks.now)
        self.listing = Listing(self.database, self.devices, self.assignments, self._clocks.now)
        self.replicas = Replicas(self.database, self._clocks.monotonic)
        rate = Rate(frames_per_second=settings.quota_frames_per_second, burst_frames=settings.quota_burst_frames)
        self._quota: Quota[int] = Quota(rate)
        self.spending = Spending(self.database, self._quota, self.replicas, self._clocks.monotonic)

    def _build_webhooks(self, endpoints: Sequence[Endpoint]) -> None:
        """Who is told of what the audit and the events say."""
        self.webhooks = Webhooks(
            endpoints=endpoints,
            database=self.database,
            poster=Poster(),
            may_lead=partial(self.replicas.may_lead, Lease.WEBHOOKS),
            metrics=self.metrics,
            now=self._clocks.now,
            random=random.random,
        )

    def _build_models(self, keys: ServerKeys) -> None:
        """What is published, the models of it that are in memory, and how more is published and assigned."""
        settings = self._settings
        limits = BatchLimits(frames=settings.batch_max_frames, seconds=settings.batch_max_seconds)
        loading = self._loading = Loading(self.blobs, limits, settings.model_memory_bytes)
        self.loader = Loader(settings.classifier_load_max_seconds)
        self.models = ModelCache(
            loading.model,
            self.loader,
            settings.model_memory_bytes,
            self.metrics,
            self._clocks.monotonic,
            tell_failed=partial(self._tell_hourly, EventKind.CLASSIFIER_FAILED),
        )
        self.signed_files = SignedFiles(self.database, keys, self._clocks.now)
        self.tuf_files = TufFiles(self.database, self.signed_files, self._clocks.now)
        self.catalogue = Catalogue(self.database)
        self._label_sets = LabelSets(self.catalogue, loading.labels, self.loader)
        self.routing = LiveRouting(self.catalogue, self.models, self.assignments.told, self._clocks.monotonic)
        self.publishing = Publishing(
            database=self.database,
            signed_files=self.signed_files,
            catalogue=self.catalogue,
            label_sets=self._label_sets,
            routing=self.routing,
            models=self.models,
            loader=self.loader,
            now=self._clocks.now,
        )
        self.assigning = Assigning(
            catalogue=self.catalogue,
            routing=self.routing,
            models=self.models,
            replicas=self.replicas,
            assignments=self.assignments,
            signed_files=self.signed_files,
        )
        self.configuring = Configuring(
            database=self.database,
            publishing=self.publishing,
            signed_files=self.signed_files,
            in_effect=self.settings_in_effect,
            now=self._clocks.now,
        )
        self.releasing = Releasing(
            database=self.database,
            catalogue=self.catalogue,
            routing=self.routing,
            models=self.models,
            replicas=self.replicas,
            signed_files=self.signed_files,
            now=self._clocks.now,
        )

    def _build_rollouts(self) -> None:
        """What leads families to other bundles, what it counts meanwhile, and what operators do to it."""
        self.rollout_counts = Counting(self.database, self.assignments, self.devices.of_row)
        self.steering = Steering(
            database=self.database,
            assigning=self.assigning,
            assignments=self.assignments,
            signed_files=self.signed_files,
            now=self._clocks.now,
        )
        self.rollouts = Engine(
            database=self.database,
            replicas=self.replicas,
            assignments=self.assignments,
            assigning=self.assigning,
            catalogue=self.catalogue,
            reference=self._loading.reference,
            loader=self.loader,
            metrics=self.metrics,
            witness=self.audit.own,
            now=self._clocks.now,
            monotonic=self._clocks.monotonic,
        )

    def _build_quality(self) -> None:
        """What is concluded of answered frames without being told what they show."""
        settings, clocks = self._settings, self._clocks
        shard = self.replicas.share_of(SHARDS)
        self.estimates = Estimates(self.database, self.metrics, clocks.now)
        self.baselines = Baselines(self.database, self.metrics, settings.baseline_rate, shard, random.random)
        self.drift = Drift(
            self.database,
            References(self.catalogue, self._loading, self.loader).drift,
            self.metrics,
            Choosing(settings.drift_frames_per_second, settings.drift_device_seconds, clocks.monotonic),
            self.replicas.own_id,
            clocks.monotonic,
        )
        self.drift.tell(self._tell_drift)

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
        shard = self.replicas.share_of(SHARDS)
        self.byte_sums = ByteSums(self.database, shard, self._clocks.now)
        self.sample_store = SampleStore(self.database, self._frames, caps, settings.samples_max_bytes)
        self.sampler = Sampler(self.sample_store, self.metrics, rules, settings.recent_frames_max_bytes)
        clock = Clock(self.database, self._clocks.now, self._clocks.monotonic)
        self.retention = Retention(self.database, self._frames, lifetimes, self._clocks.now, clock.is_believed)
        self.latest_frames = LatestFrames()
        self.samples = Samples(self.database, self._frames)
        self.labels = Labels(
            self.database, self.metrics, self._label_sets.of_family, self.sampler.contradicted, shard=shard
        )
        self.reviewing = Reviewing(self.database, self.labels, self._label_sets.in_order, self._clocks.now, shard=shard)
        self.daily = DailySums(self.database, self._save_sums, self._clocks.now)
        self.reports = Reports(
            self.database,
            self.catalogue,
            self.devices,
            self._save_sums,
            self.assignments.is_quarantined,
            self._clocks.now,
        )

    async def _save_sums(self) -> None:
        """Write what this process has summed up."""
        await self.byte_sums.save()
        await self.baselines.save()

    def _build_views(self) -> None:
        """What is looked up for people about versions, and nowhere else."""
        self.versions = Versions(
            catalogue=self.catalogue,
            models=self.models,
            assignments=self.assignments,
            signed_files=self.signed_files,
            listing=self.listing,
            read=self._loading.reference,
            loader=self.loader,
        )

    def _build_inference(self, loop: asyncio.AbstractEventLoop) -> None:
        """How frames are answered, and who is told of it."""
        settings = self._settings
        observers = (
            Observer(name="metrics", observe=self.metrics.count_answered),
            Observer(name="devices", observe=self.devices.touch_answered),
            Observer(name="sampler", observe=self.sampler.observe, kinds={Kind.FRAME, Kind.DETAIL}),
            Observer(name="latest frames", observe=self.latest_frames.observe),
            Observer(name="companions", observe=self.metrics.count_companions, kinds=COMPANIONS),
            Observer(name="rollouts", observe=self.rollout_counts.observe),
            Observer(name="drift", observe=self.drift.observe, wants_statistics=self.drift.wants),
            Observer(name="estimates", observe=self.estimates.observe),
            Observer(name="baselines", observe=self.baselines.observe),
        )
        lanes = Lanes(
            lambda: self.routing.table,
            self.models,
            self.routing.refresh,
            self.assignments.counter,
            settings.families_of_own_size,
            settings.queue_max_frames,
        )
        self._workers = Workers(settings.threads, loop)
        self._resizers = Workers(settings.resizing_threads, loop)
        self.ingest = Ingest(
            AnswerStore(self.database, self.metrics, self.replicas.share_of(SHARDS)),
            lanes,
            self._workers,
            self._resizers,
            self.metrics,
            Observers(observers, self.metrics.count_observer_fault),
            self._watchdog(),
            settings.queue_max_frames,
            self.assignments.is_quarantined,
            self._clocks.now_ns,
        )
        self.admission = Admission(self._quota, self.ingest, settings.wait_max_seconds, self._clocks.monotonic)

    def _watchdog(self) -> Watchdog:
        """Looks after classifiers that do not come to an end."""
        settings = self._settings
        limits = WatchLimits(
            overdue_seconds=min(settings.classifier_overdue_seconds, settings.classifier_max_seconds),
            max_seconds=settings.classifier_max_seconds,
        )
        return Watchdog(
            limits,
            settings.threads,
            self.models,
            self.metrics,
            self._clocks.monotonic,
            tell_stopped=partial(self._tell_hourly, EventKind.CLASSIFIER_STOPPED),
        )

    def _tell_hourly(self, kind: EventKind, name: str, facts: Facts) -> None:
        """Once an hour for each subject, whichever processes see it: what fails is tried again and again."""
        hour = int(self._clocks.now() // HOUR_SECONDS)
        self.events.tell(kind, name, facts, once=f"{name} {hour}")

    def _tell_drift(self, changed: DriftChange) -> None:
        """Have webhooks told that a signal of a version began to drift in this process, or does so no more."""
        change = changed.change
        kind = EventKind.DRIFT_BEGAN if change.has_begun else EventKind.DRIFT_ENDED
        score = None if change.score is None else f"{change.score:.3f}"
        facts = {"signal": change.signal.value, "score": score, "replica": self.replicas.own_id}
        self.events.tell(kind, changed.version.name, facts)
