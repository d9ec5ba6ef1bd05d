"""Gathers the facts of what is wrong now from the parts of this process and from the database."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from cloud_server.certificates import Certificate
from cloud_server.console.troubles import Facts
from cloud_server.drift_metrics import DriftFigures
from cloud_server.fleet.contact import Contact
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.heartbeats import Heartbeats
from cloud_server.fleet.replicas import Replicas
from cloud_server.inference.ingest import Ingest
from cloud_server.inference.loader import Loader
from cloud_server.inference.model_cache import ModelCache
from cloud_server.metrics import Metrics
from cloud_server.operators.audit import Audit
from cloud_server.quality.drift import Drift
from cloud_server.quality.estimates import GAP_SHARE, Estimates
from cloud_server.quality_metrics import AccuracyFigures
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.rollout.standing import State
from cloud_server.storage.database import Database
from cloud_server.storage.rows import rollouts
from cloud_server.storage.rows.replicas import ReplicaRow
from cloud_server.trainer_metrics import TrainingFigures
from cloud_server.trainings import following

LOOK_SECONDS = 10.0
LATE_SECONDS = 600.0
"""How much longer than it wanted a trainer may say nothing."""
LOOKS = 30
"""Refused frames are counted over the last five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What this process knows of itself, of the others and of the fleet."""

    database: Database
    metrics: Metrics
    ingest: Ingest
    loader: Loader
    models: ModelCache
    contact: Contact
    devices: Devices
    heartbeats: Heartbeats
    signed_files: SignedFiles
    replicas: Replicas
    audit: Audit
    drift: Drift
    estimates: Estimates
    certificate: Certificate | None
    open_planes: Callable[[], Mapping[str, str]]
    now: Callable[[], float]
    counted: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LOOKS))

    async def run(self) -> None:
        """Note every now and then how many frames were answered and refused so far, until cancelled."""
        while True:
            self.counted.append(self.metrics.frames_so_far())
            await asyncio.sleep(LOOK_SECONDS)

    async def facts(self) -> Facts:
        """The facts as they are now.

        Raises:
            StorageError: the database does not answer.
        """
        paused = [row.family for row in await self.database.read(rollouts.active) if row.state == State.PAUSED]
        trainings = await self.database.read(following.figures)
        taken, rejected = of_late(self.counted, self.metrics.frames_so_far())
        silent = {family: count for (family, since), count in self.contact.silent.items() if since == "week"}
        certificate = self.certificate
        return Facts(
            queue_oldest_seconds=self.ingest.oldest_seconds,
            rejected=rejected,
            taken=taken,
            failed=self.models.failed(),
            lost_threads=self.ingest.lost_threads + self.loader.lost,
            paused=paused,
            silent=silent,
            skewed=self.contact.skewed,
            stale=self.heartbeats.told.stale,
            clones=self.devices.count_clones(),
            expiries=self.signed_files.expiries,
            missing_keys=self.signed_files.missing_keys,
            unserved=unserved_of(await self.replicas.live()),
            audit_fault=self.audit.fault,
            open_planes=self.open_planes(),
            certificate_expires_at=None if certificate is None else certificate.expires_at,
            failing={each.family: each.failures for each in trainings},
            overdue=overdue_of(trainings, self.now()),
            parted=[*drifting(self.drift.figures()), *parted(self.estimates.latest)],
        )


def of_late(counted: Sequence[tuple[int, int]], so_far: tuple[int, int]) -> tuple[int, int]:
    """Frames that were answered, and refused, since the oldest look that is remembered; none before the first."""
    before = counted[0] if counted else so_far
    return so_far[0] - before[0], so_far[1] - before[1]


def overdue_of(trainings: Iterable[TrainingFigures], now: float) -> list[str]:
    """Families whose training nobody tells of any more; `now` in seconds since 1970."""
    return [each.family for each in trainings if each.lease_until is not None and each.lease_until + LATE_SECONDS < now]


def unserved_of(live: Sequence[ReplicaRow]) -> Mapping[str, str]:
    """Processes that lack something that others serve, and what, by their names."""
    served = frozenset[str]().union(*(row.serves for row in live))
    lacking = {row.id: sorted(served - row.serves) for row in live}
    return {replica: names[0] for replica, names in lacking.items() if names}


def drifting(figures: Iterable[DriftFigures]) -> Iterator[str]:
    """What looks other than in training, a sentence a version."""
    changed = sorted((each.family, each.tables, each.signal) for each in figures if each.since is not None)
    for (family, tables), group in groupby(changed, key=lambda each: each[:2]):
        signals = ", ".join(signal.replace("_", " ") for _, _, signal in group)
        yield f"Frames of {family} {tables} look other than in training: {signals}."


def parted(known: Iterable[AccuracyFigures]) -> Iterator[str]:
    """Whose confidences the random audit contradicts, a sentence a version."""
    for each in known:
        if each.gap is not None and abs(each.gap) >= GAP_SHARE:
            how = "above" if each.gap > 0 else "below"
            points = f"{100 * abs(each.gap):.1f}"
            yield f"The estimated accuracy of {each.family} {each.tables} lies {points} points {how} what labels say."
