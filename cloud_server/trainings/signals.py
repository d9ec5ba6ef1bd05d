"""Whether it is time to train a family anew: what the server knows of it already, gathered for who decides."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import NotFoundError
from cloud_server.feedback.labels import authority
from cloud_server.fleet.assignments import Assignments
from cloud_server.quality.drift import Drift
from cloud_server.quality.estimates import GAP_SHARE, Estimates
from cloud_server.quality_metrics import AccuracyFigures
from cloud_server.registry.catalogue import Catalogue
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import training_runs, training_signals
from cloud_server.storage.rows.drift import DriftRow
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.storage.rows.training_signals import Labelled
from cloud_server.trainings.following import failures_in_a_row
from cloud_server.trainings.standing import LEARNED, Outcome
from shared.bundle import Bundle
from shared.wire import LabelSource

DEVICES_OUT_MAX = 10_000
_BY_A_REVIEWER = authority(LabelSource.SENSOR, is_operator=True)


@dataclass(frozen=True, slots=True)
class Drifting:
    """A signal of the assigned bundle that drifts: since when, and how far; the process that saw most of it counts."""

    signal: str
    since: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Gap:
    """The accuracy of the assigned bundle: as confidences tell it, and the interval that the random audit gives.

    Args:
        parts: whether the one lies so far outside of the other that labels contradict it.
    """

    estimated: float
    labelled_low: float
    labelled_high: float
    parts: bool


@dataclass(frozen=True, slots=True)
class Champion:
    """What a family runs now."""

    counter: int
    bundle: str
    classifier_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a family; times are seconds since 1970.

    Args:
        at: when this was read.
        labels_since: of `labels_total`, those that are new to what the last run with a result had seen: frames that
            were kept since, and labels that people who review have given since.
        failures: how many runs failed in a row, up to now.
        devices_out: devices of which nothing may be learned: forgotten, in quarantine, or revoked.
    """

    family: str
    at: float
    labels_total: int
    labels_since: int
    drift: Sequence[Drifting]
    estimate_gap: Gap | None
    assigned: Champion | None
    open_run: RunRow | None
    last_run: RunRow | None
    failures: int
    devices_out: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Stored:
    labelled: Labelled
    open_run: RunRow | None
    last_run: RunRow | None
    failures: int
    devices_out: Sequence[str]


class Signals:
    """Gathers them.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        assignments: Assignments,
        drift: Drift,
        estimates: Estimates,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._assignments = assignments
        self._drift = drift
        self._estimates = estimates
        self._now = now

    async def of(self, family: str) -> Told:
        """What is known of a family.

        Raises:
            NotFoundError: nothing is published for it.
            StorageError: the database does not answer.
        """
        if not self._catalogue.counters(family):
            raise NotFoundError(f"no bundle of family {family} is published; see: dctwire bundles")
        at = self._now()  # before the labels are counted: what comes meanwhile is new to whoever begins there
        stored = await self._database.read(partial(_stored, family=family))
        champion = self._champion(family)
        drifting: Sequence[Drifting] = ()
        if champion is not None:
            drifting = drifting_of(champion, family, (row for _, row in await self._drift.everywhere()))
        return Told(
            family=family,
            at=at,
            labels_total=stored.labelled.total,
            labels_since=stored.labelled.since,
            drift=drifting,
            estimate_gap=None if champion is None else gap_of(champion, family, self._estimates.latest),
            assigned=champion,
            open_run=stored.open_run,
            last_run=stored.last_run,
            failures=stored.failures,
            devices_out=stored.devices_out,
        )

    def _champion(self, family: str) -> Champion | None:
        assigned = self._assignments.of_family(family)
        if assigned is None:
            return None
        registered = self._catalogue.find(f"{family}/{assigned.counter}")
        if registered is None or not isinstance(registered.published, Bundle):
            return None  # it was published by another process this very moment
        return Champion(assigned.counter, registered.published.name, registered.published.classifier.sha256)


def drifting_of(champion: Champion, family: str, rows: Iterable[DriftRow]) -> Sequence[Drifting]:
    """The signals of a bundle that drift in any process, by name: since the first saw it, as far as any does."""
    found: dict[str, Drifting] = {}
    for row in rows:
        if (row.family, row.counter) != (family, champion.counter) or row.since is None:
            continue
        before = found.get(row.signal, Drifting(row.signal, row.since, row.score))
        scores = [score for score in (before.score, row.score) if score is not None]
        found[row.signal] = Drifting(row.signal, min(before.since, row.since), max(scores, default=None))
    return [found[signal] for signal in sorted(found)]


def gap_of(champion: Champion, family: str, known: Iterable[AccuracyFigures]) -> Gap | None:
    """The accuracy of a bundle both ways; None where one of them is not known, or too few frames were audited."""
    tables = f"v{champion.counter}"
    for each in known:
        if (each.family, each.tables) == (family, tables):
            if each.estimated is None or each.low is None or each.high is None or each.gap is None:
                return None
            return Gap(each.estimated, each.low, each.high, abs(each.gap) >= GAP_SHARE)
    return None


def _stored(transaction: Transaction, family: str) -> _Stored:
    learned = training_runs.last_ended(transaction, family, [outcome.value for outcome in LEARNED])
    since = None if learned is None else learned.data_until
    return _Stored(
        labelled=training_signals.labelled(transaction, family, since, _BY_A_REVIEWER),
        open_run=training_runs.open_of(transaction, family),
        last_run=training_runs.last_ended(transaction, family, [outcome.value for outcome in Outcome]),
        failures=failures_in_a_row(transaction, family),
        devices_out=training_signals.devices_out(transaction, family, DEVICES_OUT_MAX),
    )
