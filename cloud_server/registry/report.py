"""The use case `report`: what each version of a family's tables cost and achieved, from the hourly sums."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud_server.errors import NotFoundError
from cloud_server.fleet.devices import Devices
from cloud_server.metrics import INTERCHANGE
from cloud_server.registry.catalogue import Catalogue
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.sums import HOUR_SECONDS, Answered, Spent

_Z95 = 1.959964
"""The normal distribution's 97.5th percentile."""


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
    """The share of right answers among the frames whose true label is known; `low` to `high` is Wilson's 95 %."""

    labelled: int
    correct: int
    share: float
    low: float
    high: float


class VersionReport(_Part):
    """The frames of one version of the tables, or of `interchange`: ordinary JPEG, which carries its own."""

    tables: str
    first_at: float = Field(description="The hour of the first frame in the report, in seconds since 1970.")
    frames: int = Field(description="Frames answered, each once.")
    by_match: dict[str, int] = Field(description="The same by how the classifier fitted.")
    devices: int = Field(description="Devices whose newest frame has these tables.")
    bytes: FrameBytes | None = Field(description="Null when none of the bytes are known.")
    saving: float | None = Field(description="Share of ordinary JPEG's bytes that is saved; null when unknown.")
    accuracy: Accuracy | None = Field(description="Null when no label is known.")


class Baseline(_Part):
    """What ordinary JPEG costs, to save against: frames of the same family that carried their own tables.

    `unknown` when there are none: nothing is assumed then.
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


class Reports:
    """Makes reports, of what all server processes counted.

    Args:
        save_bytes: writes what this process has summed up in memory; others do so within seconds.
        now: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        devices: Devices,
        save_bytes: Callable[[], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._devices = devices
        self._save_bytes = save_bytes
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
        await self._save_bytes()
        answered, spent, ever = await self._database.read(partial(_counted, family=family, first_hour=first_hour))
        by_tables = {tables: count for (of, tables), count in self._devices.count_by_tables().items() if of == family}
        baseline = baseline_of(spent, ever)
        return Report(
            family=family,
            since=None if since is None else first_hour * HOUR_SECONDS,
            until=self._now(),
            baseline=baseline,
            versions=versions_of(answered, spent, by_tables, baseline),
        )


def versions_of(
    answered: Sequence[Answered], spent: Sequence[Spent], devices: Mapping[str, int], baseline: Baseline
) -> tuple[VersionReport, ...]:
    """A report for each version, in the order in which they came."""
    costs = {one.tables: one for one in spent}
    by_tables = groupby(sorted(answered, key=lambda one: one.tables), key=lambda one: one.tables)
    versions = [_version(tables, [*rows], costs.get(tables), devices, baseline) for tables, rows in by_tables]
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
    share, z2 = correct / labelled, _Z95**2
    middle = (share + z2 / (2 * labelled)) / (1 + z2 / labelled)
    half = _Z95 / (1 + z2 / labelled) * math.sqrt(share * (1 - share) / labelled + z2 / (4 * labelled**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Accuracy(labelled=labelled, correct=correct, share=share, low=low, high=high)


def _counted(
    transaction: Transaction, family: str, first_hour: int
) -> tuple[Sequence[Answered], Sequence[Spent], Sequence[Spent]]:
    spent = sums.spent(transaction, family, first_hour)
    return sums.answered(transaction, family, first_hour), spent, sums.spent(transaction, family, 0)


def _version(
    tables: str, rows: Sequence[Answered], cost: Spent | None, devices: Mapping[str, int], baseline: Baseline
) -> VersionReport:
    means = None if cost is None or not cost.frames else _means(cost)
    is_ordinary = tables == INTERCHANGE
    is_known = means is not None and baseline.bytes and not is_ordinary
    return VersionReport(
        tables=tables,
        first_at=min(row.first_hour for row in rows) * HOUR_SECONDS,
        frames=sum(row.frames for row in rows),
        by_match={row.match: row.frames for row in rows},
        devices=devices.get(tables, 0),
        bytes=means,
        saving=1 - means.total / baseline.bytes if is_known and means and baseline.bytes else None,
        accuracy=accuracy_of(sum(row.labelled for row in rows), sum(row.correct for row in rows)),
    )


def _means(cost: Spent) -> FrameBytes:
    parts = {
        name: getattr(cost, f"{name}_bytes") / cost.frames for name in ("scan", "tables", "markers", "http", "answer")
    }
    return FrameBytes(**parts, total=sum(parts.values()) - parts["answer"])
