"""The use case `report`: what each version of a family's tables cost and achieved, from the hourly sums."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud_server.errors import NotFoundError
from cloud_server.fleet.devices import Devices
from cloud_server.metrics import INTERCHANGE
from cloud_server.quality.estimates import MILLION, wilson
from cloud_server.registry.catalogue import Catalogue
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import baseline_sums, sums
from cloud_server.storage.rows.baseline_sums import Measured
from cloud_server.storage.rows.sums import HOUR_SECONDS, Answered, Spent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class FrameBytes(_Part):
    """Means a frame, of requests that were answered; a frame that was sent twice cost its bytes twice."""

    scan: float = Field(description="Entropy-coded data.")
    tables: float = Field(description="Tables that the frame carries itself.")
    markers: float = Field(description="All other bytes of the body.")
    http: float = Field(description="The request around its body, as the socket saw it.")
    total: float = Field(description="What the device sent: the sum of these.")
    answer: float = Field(description="What it got back.")


class Accuracy(_Part):
    """The share of right answers among frames whose true label is known; `low` to `high` is Wilson's 95 %."""

    labelled: int
    correct: int
    share: float
    low: float
    high: float


class Estimate(_Part):
    """The accuracy as the classifier's own confidences tell it, without any label."""

    frames: int = Field(description="Frames with calibrated confidences, answered by the classifier for their tables.")
    share: float = Field(description="Of right answers: the mean of the confidences.")


class OrdinaryEstimate(_Part):
    """What ordinary JPEG of the same pictures would have cost, found out of one frame of many.

    Means a frame, without HTTP around it.
    """

    frames: int = Field(description="Frames that were measured.")
    bytes: float = Field(description="Of the ordinary JPEG file.")
    sent: float = Field(description="Of these same frames as they came.")


class VersionReport(_Part):
    """The frames of one version of the tables, or of `interchange`: ordinary JPEG, which carries its own."""

    tables: str
    first_at: float = Field(description="The hour of the first frame in the report, in seconds since 1970.")
    frames: int = Field(description="Frames answered, each once.")
    by_match: dict[str, int] = Field(description="The same by how the classifier fitted.")
    devices: int = Field(description="Devices whose newest frame has these tables.")
    bytes: FrameBytes | None = Field(description="Null when none of the bytes are known.")
    saving: float | None = Field(description="Share of ordinary JPEG's bytes that is saved; null when unknown.")
    saving_source: Literal["measured", "estimated"] | None = Field(
        description="Against ordinary JPEG that was posted, or else, as far as can be told, against that of the same "
        "pictures."
    )
    ordinary: OrdinaryEstimate | None = Field(description="Null when no frame was measured.")
    accuracy: Accuracy | None = Field(description="Of all labels, whoever chose the frames; null when none is known.")
    audited: Accuracy | None = Field(description="Of the random audit alone: a fair sample; null when there is none.")
    estimated: Estimate | None = Field(description="Null when no confidence is calibrated.")


class Baseline(_Part):
    """What ordinary JPEG costs, to save against: frames of the same family that carried their own tables.

    `unknown` when there are none: each version is then compared with what it would have cost, its own `ordinary`.
    """

    source: Literal["measured", "measured before", "unknown"] = Field(
        description="Measured in the time of the report, or before it where there is none in it."
    )
    frames: int
    bytes: float | None = Field(description="A frame's, on the wire, as `total` of the versions.")


class Report(_Part):
    """A family's report; times in seconds since 1970."""

    family: str
    since: float | None = Field(description="The full hour that it begins with; null: all that is kept.")
    until: float
    baseline: Baseline
    versions: tuple[VersionReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The sums of a report's time, by tables.

    Args:
        ever: what requests cost in all the time that is kept.
        measured: frames of which it was found out what ordinary JPEG would have cost.
    """

    answered: Sequence[Answered]
    spent: Sequence[Spent]
    ever: Sequence[Spent] = ()
    measured: Sequence[Measured] = ()


class Reports:
    """Makes reports, of what all server processes counted.

    Args:
        is_quarantined: whether a device, by its row, is in quarantine and not counted.
        save_sums: writes what this process has summed up in memory; others do so within seconds.
        now: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        devices: Devices,
        save_sums: Callable[[], Awaitable[None]],
        is_quarantined: Callable[[int], bool],
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._devices = devices
        self._save_sums = save_sums
        self._is_quarantined = is_quarantined
        self._now = now

    async def of(self, family: str, since: float | None) -> Report:
        """A family's report.

        Args:
            since: seconds since 1970; the report begins with the full hour before.

        Raises:
            NotFoundError: nothing is published for the family.
            StorageError: the database does not answer.
        """
        if family not in {one.family for one in self._catalogue.every()}:
            raise NotFoundError(f"nothing is published for family {family}")
        first_hour = 0 if since is None else int(since) // HOUR_SECONDS
        await self._devices.load()
        await self._save_sums()
        counts = await self._database.read(partial(_counted, family=family, first_hour=first_hour))
        counted = self._devices.count_by_tables(self._is_quarantined)
        by_tables = {tables: count for (of, tables), count in counted.items() if of == family}
        baseline = baseline_of(counts.spent, counts.ever)
        return Report(
            family=family,
            since=None if since is None else first_hour * HOUR_SECONDS,
            until=self._now(),
            baseline=baseline,
            versions=versions_of(counts, by_tables, baseline),
        )


def versions_of(counts: Counts, devices: Mapping[str, int], baseline: Baseline) -> tuple[VersionReport, ...]:
    """A report for each version, in the order in which they came."""
    costs = {one.tables: one for one in counts.spent}
    measured = {one.tables: one for one in counts.measured if one.frames}
    by_tables = groupby(sorted(counts.answered, key=lambda one: one.tables), key=lambda one: one.tables)
    versions = [
        _version(tables, [*rows], costs.get(tables), measured.get(tables), devices.get(tables, 0), baseline)
        for tables, rows in by_tables
    ]
    return tuple(sorted(versions, key=lambda one: (one.first_at, one.tables)))


def baseline_of(spent: Sequence[Spent], ever: Sequence[Spent]) -> Baseline:
    """What ordinary JPEG costs: in the time of the report, or else in all the time that is kept."""
    for source, rows in (("measured", spent), ("measured before", ever)):
        ordinary = next((one for one in rows if one.tables == INTERCHANGE and one.frames), None)
        if ordinary is not None:
            return Baseline(source=source, frames=ordinary.frames, bytes=_means(ordinary).total)
    return Baseline(source="unknown", frames=0, bytes=None)


def accuracy_of(labelled: int, correct: int) -> Accuracy | None:
    """The share of right answers with Wilson's interval at 95 % (E. B. Wilson, 1927); None without labels."""
    if labelled <= 0:
        return None
    low, high = wilson(correct, labelled)
    return Accuracy(labelled=labelled, correct=correct, share=correct / labelled, low=low, high=high)


def saving_of(
    means: FrameBytes | None, measured: Measured | None, baseline: Baseline
) -> tuple[float | None, Literal["measured", "estimated"] | None]:
    """What is saved against ordinary JPEG, and how that is known.

    Frames that were posted as ordinary JPEG tell it best. Without any, it is the share by which frames are smaller than
    the files that their pictures would have made, the same HTTP around both.
    """
    if means is None:
        return None, None
    if baseline.bytes:
        return 1 - means.total / baseline.bytes, "measured"
    if measured is None:
        return None, None
    http_bytes = means.http * measured.frames
    return 1 - (measured.payload_bytes + http_bytes) / (measured.baseline_bytes + http_bytes), "estimated"


def _counted(transaction: Transaction, family: str, first_hour: int) -> Counts:
    return Counts(
        answered=sums.answered(transaction, family, first_hour),
        spent=sums.spent(transaction, family, first_hour),
        ever=sums.spent(transaction, family, 0),
        measured=baseline_sums.measured(transaction, family, first_hour),
    )


def _version(
    tables: str,
    rows: Sequence[Answered],
    cost: Spent | None,
    measured: Measured | None,
    devices: int,
    baseline: Baseline,
) -> VersionReport:
    means = None if cost is None or not cost.frames else _means(cost)
    saving, source = (None, None) if tables == INTERCHANGE else saving_of(means, measured, baseline)
    return VersionReport(
        tables=tables,
        first_at=min(row.first_hour for row in rows) * HOUR_SECONDS,
        frames=sum(row.frames for row in rows),
        by_match={row.match: row.frames for row in rows},
        devices=devices,
        bytes=means,
        saving=saving,
        saving_source=source,
        ordinary=None if measured is None else _ordinary(measured),
        accuracy=accuracy_of(sum(row.labelled for row in rows), sum(row.correct for row in rows)),
        audited=accuracy_of(sum(row.audited for row in rows), sum(row.audited_correct for row in rows)),
        estimated=_estimate(sum(row.estimated for row in rows), sum(row.expected_millionths for row in rows)),
    )


def _estimate(frames: int, expected_millionths: int) -> Estimate | None:
    return Estimate(frames=frames, share=expected_millionths / MILLION / frames) if frames else None


def _ordinary(measured: Measured) -> OrdinaryEstimate:
    frames = measured.frames
    return OrdinaryEstimate(frames=frames, bytes=measured.baseline_bytes / frames, sent=measured.payload_bytes / frames)


def _means(cost: Spent) -> FrameBytes:
    parts = {
        name: getattr(cost, f"{name}_bytes") / cost.frames for name in ("scan", "tables", "markers", "http", "answer")
    }
    return FrameBytes(**parts, total=sum(parts.values()) - parts["answer"])
