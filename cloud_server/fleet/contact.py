"""Devices that have not been seen for long, and devices at work that run something else than they are told to."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from functools import partial

from cloud_server.storage.database import Database
from cloud_server.storage.rows import fleet as rows
from cloud_server.storage.rows.fleet import ContactRow

DAY_SECONDS = 86_400.0
WEEK_SECONDS = 7 * DAY_SECONDS
COUNT_EVERY_SECONDS = 30.0
Told = Mapping[str, Set[int | None]]
"""The counters of what each family's devices are told to run, by the family or its rollout."""


class Contact:
    """Counts of all processes' devices that are let in, as the database has them.

    Args:
        told: what devices are told to run now.
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.

    Attributes:
        devices: how many there are, by family.
        silent: devices that were not seen for so long, by (family, "day" or "week"); those of a week are in both.
        skewed: devices by family that were seen within a day and run other tables than they are told to.
    """

    def __init__(
        self,
        database: Database,
        told: Callable[[], Told],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._told = told
        self._now = now
        self._monotonic = monotonic
        self._count_at = 0.0
        self.devices: Mapping[str, int] = {}
        self.silent: Mapping[tuple[str, str], int] = {}
        self.skewed: Mapping[str, int] = {}

    async def refresh(self) -> None:
        """Count anew, unless that was done a moment ago.

        Raises:
            StorageError: the database does not answer.
        """
        if self._monotonic() < self._count_at:
            return
        self._count_at = self._monotonic() + COUNT_EVERY_SECONDS
        now = self._now()
        since = partial(rows.contact, day_ago=now - DAY_SECONDS, week_ago=now - WEEK_SECONDS)
        found = await self._database.read(since)
        self.devices = devices_of(found)
        self.silent, self.skewed = silent_of(found), skewed_of(found, self._told())


def devices_of(found: Iterable[ContactRow]) -> Counter[str]:
    """How many devices each family has."""
    devices = Counter[str]()
    for row in found:
        devices[row.family] += row.devices
    return devices


def silent_of(found: Iterable[ContactRow]) -> Counter[tuple[str, str]]:
    """How many devices of each family were not seen for a day, and for a week."""
    silent = Counter[tuple[str, str]]()
    for row in found:
        silent[row.family, "day"] += row.silent_day
        silent[row.family, "week"] += row.silent_week
    return silent


def skewed_of(found: Iterable[ContactRow], told: Told) -> Counter[str]:
    """How many devices of each family run other tables than they are told to; held ones do as their hold says.

    A device that posts ordinary JPEG, or nothing yet, runs none of ours. During a rollout its bundle and the one before
    are both as told. Families that are told nothing are left out.
    """
    skewed = Counter[str]()
    for row in found:
        counters = told.get(row.family)
        if counters is None:
            continue
        is_as_told = row.tables in {f"v{counter}" for counter in counters}
        is_ours = row.tables is not None and row.tables.startswith("v")
        skewed[row.family] += row.at_work if is_ours and not is_as_told else 0
    return skewed
