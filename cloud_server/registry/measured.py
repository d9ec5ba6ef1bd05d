"""What the field shows of a family's versions lately: bytes a frame, and how many answers are right."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from cloud_server.registry.report import Accuracy, accuracy_of
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import version_sums as rows
from cloud_server.storage.rows.sums import HOUR_SECONDS
from cloud_server.storage.rows.version_sums import VersionAnswers, VersionBytes

DAYS = 30
"""How far back it looks."""
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a version.

    Args:
        frames: answered by its own classifier.
        scan_bytes: a frame; None where none of the bytes are known.
        sent_bytes: all that a device sends for a frame.
        accuracy: of all labels, whoever chose the frames: biased; None without any.
        audited: of the random audit alone, a fair sample; None without any.
    """

    frames: int
    scan_bytes: float | None
    sent_bytes: float | None
    accuracy: Accuracy | None
    audited: Accuracy | None = None


class Measurements:
    """Looks at the hourly sums, of all server processes together.

    Args:
        save_sums: writes what this process has summed up in memory; others do so within seconds.
        now: seconds since 1970.
    """

    def __init__(self, database: Database, save_sums: Callable[[], Awaitable[None]], now: Callable[[], float]) -> None:
        self._database = database
        self._save_sums = save_sums
        self._now = now

    async def of(self, family: str, tables: Collection[str]) -> Mapping[str, Measured]:
        """What the last `DAYS` days show of these tables; those of which nothing came are left out.

        Raises:
            StorageError: the database does not answer.
        """
        await self._save_sums()
        first_hour = int(self._now() - DAYS * DAY_SECONDS) // HOUR_SECONDS
        read = partial(_read, family=family, tables=tables, first_hour=first_hour)
        return measured_of(*await self._database.read(read))


def measured_of(answered: Collection[VersionAnswers], spent: Collection[VersionBytes]) -> Mapping[str, Measured]:
    """What sums say of each version, by its tables."""
    costs, answers = {one.tables: one for one in spent if one.frames}, {one.tables: one for one in answered}
    return {tables: _measured(answers.get(tables), costs.get(tables)) for tables in sorted(costs.keys() | answers)}


def _measured(answered: VersionAnswers | None, cost: VersionBytes | None) -> Measured:
    return Measured(
        frames=0 if answered is None else answered.frames,
        scan_bytes=None if cost is None else cost.scan_bytes / cost.frames,
        sent_bytes=None if cost is None else cost.sent_bytes / cost.frames,
        accuracy=None if answered is None else accuracy_of(answered.labelled, answered.correct),
        audited=None if answered is None else accuracy_of(answered.audited, answered.audited_correct),
    )


def _read(
    transaction: Transaction, family: str, tables: Collection[str], first_hour: int
) -> tuple[Collection[VersionAnswers], Collection[VersionBytes]]:
    found = rows.answered(transaction, family, tables, first_hour)
    return found, rows.spent(transaction, family, tables, first_hour)
