"""The use case of the overview: what the whole fleet sent, saved and got right, day by day. The rules are pure."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.metrics import INTERCHANGE
from cloud_server.quality.estimates import MILLION, wilson
from cloud_server.registry.report import Accuracy, accuracy_of
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import daily_sums as rows
from cloud_server.storage.rows.daily_sums import DAY_SECONDS, DayAnswered, DaySpent, MeasuredRatio


@dataclass(frozen=True, slots=True)
class Estimated:
    """How right answers are judged to be by their calibrated confidences, without labels.

    `low` to `high` is how far chance alone may take it, at 95 % (Wilson's interval of as many right and wrong answers);
    whether confidences can be believed for these frames is for the random audit to say.
    """

    frames: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Day:
    """One day, by its number since 1970.

    Args:
        received_bytes: what all devices sent, as the socket saw it.
        ordinary_bytes: what the same frames would have cost as ordinary JPEG; None where that is not known of all.
        accuracy: of all labels, whoever chose the frames: biased.
        audited: of the random audit alone, a fair sample.
    """

    day: int
    frames: int
    received_bytes: int
    ordinary_bytes: float | None
    accuracy: Accuracy | None
    audited: Accuracy | None
    estimated: Estimated | None

    @property
    def began_at(self) -> float:
        """When it began, in seconds since 1970."""
        return self.day * float(DAY_SECONDS)

    @property
    def saving(self) -> float | None:
        """The share of ordinary JPEG's bytes that was saved; None where it is not known."""
        return None if not self.ordinary_bytes else 1 - self.received_bytes / self.ordinary_bytes


@dataclass(frozen=True, slots=True)
class Daily:
    """Days in order, the last of them today, and all of them together."""

    days: Sequence[Day]
    total: Day


class DailySums:
    """What all server processes counted, by day.

    Args:
        save_sums: writes what this process has summed up in memory; others do so within seconds.
        now: seconds since 1970.
    """

    def __init__(self, database: Database, save_sums: Callable[[], Awaitable[None]], now: Callable[[], float]) -> None:
        self._database = database
        self._save_sums = save_sums
        self._now = now

    async def of_last(self, days: int) -> Daily:
        """The last so many days, today among them.

        Raises:
            StorageError: the database does not answer.
        """
        await self._save_sums()
        today = int(self._now() // DAY_SECONDS)
        sums = await self._database.read(partial(_read, first_day=today - days + 1))
        return daily_of(*sums, range(today - days + 1, today + 1))


def daily_of(
    spent: Sequence[DaySpent], answered: Sequence[DayAnswered], measured: Sequence[MeasuredRatio], days: range
) -> Daily:
    """Days of what was summed up.

    What ordinary JPEG costs is the mean of what a family posted of it on all of them; where it posted none, it is told
    by the frames that were measured, the same HTTP around both.
    """
    ordinary = Ordinary(_ordinary_by_family(spent), {(row.family, row.tables): row for row in measured})
    made = [
        _day(day, [row for row in spent if row.day == day], [row for row in answered if row.day == day], ordinary)
        for day in days
    ]
    return Daily(made, _day(days.stop - 1, spent, answered, ordinary))


@dataclass(frozen=True, slots=True)
class Ordinary:
    """What ordinary JPEG costs: bytes a frame by family where it was posted, else by what was measured."""

    posted: Mapping[str, float]
    measured: Mapping[tuple[str, str], MeasuredRatio]

    def bytes_of(self, row: DaySpent) -> float | None:
        """What the same frames would have cost; None where it is not known."""
        if row.family in self.posted:
            return self.posted[row.family] * row.frames
        ratio = self.measured.get((row.family, row.tables))
        if ratio is None or not ratio.payload_bytes:
            return None
        return row.http_bytes + (row.received_bytes - row.http_bytes) * ratio.baseline_bytes / ratio.payload_bytes


def _ordinary_by_family(spent: Sequence[DaySpent]) -> Mapping[str, float]:
    """Bytes that a frame costs as ordinary JPEG, by family; families that sent none are left out."""
    frames, received = defaultdict[str, int](int), defaultdict[str, int](int)
    for row in spent:
        if row.tables == INTERCHANGE:
            frames[row.family] += row.frames
            received[row.family] += row.received_bytes
    return {family: received[family] / count for family, count in frames.items() if count}


def _day(day: int, spent: Sequence[DaySpent], answered: Sequence[DayAnswered], ordinary: Ordinary) -> Day:
    costs = [ordinary.bytes_of(row) for row in spent if row.frames]
    known = [cost for cost in costs if cost is not None]
    return Day(
        day=day,
        frames=sum(row.frames for row in spent),
        received_bytes=sum(row.received_bytes for row in spent),
        ordinary_bytes=sum(known) if costs and len(known) == len(costs) else None,
        accuracy=accuracy_of(sum(row.labelled for row in answered), sum(row.correct for row in answered)),
        audited=accuracy_of(sum(row.audited for row in answered), sum(row.audited_correct for row in answered)),
        estimated=_estimated(answered),
    )


def _estimated(answered: Sequence[DayAnswered]) -> Estimated | None:
    frames = sum(row.estimated for row in answered)
    if frames <= 0:
        return None
    share = min(1.0, sum(row.expected_millionths for row in answered) / MILLION / frames)
    return Estimated(frames, share, *wilson(round(share * frames), frames))


def _read(
    transaction: Transaction, first_day: int
) -> tuple[Sequence[DaySpent], Sequence[DayAnswered], Sequence[MeasuredRatio]]:
    return (
        rows.spent_by_day(transaction, first_day),
        rows.answered_by_day(transaction, first_day),
        rows.measured_since(transaction, first_day),
    )
