"""Follows how trainings stand, for metrics: every process reads the same rows, a few times a minute."""

import asyncio
from collections import defaultdict

from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.repeating import logged
from cloud_server.storage.rows import training_runs as rows
from cloud_server.trainer_metrics import TrainerMetrics, TrainingFigures
from cloud_server.trainings.standing import LEARNED, Outcome

REFRESH_SECONDS = 20.0


class Following:
    """Says how trainings stand."""

    def __init__(self, database: Database, metrics: TrainerMetrics) -> None:
        self._database = database
        self._metrics = metrics

    async def run(self) -> None:
        """Refresh what is said, until cancelled."""
        while True:
            with logged("trainings-not-refreshed"):
                await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read how they stand, and set the gauges.

        Raises:
            StorageError: the database does not answer.
        """
        self._metrics.set_trainings(await self._database.read(figures))


def figures(transaction: Transaction) -> list[TrainingFigures]:
    """How the trainings of every family that had any stand, by family."""
    ends: dict[str, dict[str, float]] = defaultdict(dict)
    for end in rows.ends(transaction):
        ends[end.family][end.outcome] = end.ended_at
    opened = {run.family: run for run in rows.every_open(transaction)}
    found = []
    for family in sorted(ends.keys() | opened.keys()):
        run = opened.get(family)
        found.append(
            TrainingFigures(
                family,
                state=None if run is None else run.state,
                lease_until=None if run is None else run.lease_until,
                ends=ends.get(family, {}),
                failures=failures_in_a_row(transaction, family),
            )
        )
    return found


def failures_in_a_row(transaction: Transaction, family: str) -> int:
    """How many runs of a family failed since one ended with a result; those that were cancelled say nothing."""
    last = rows.last_ended(transaction, family, [outcome.value for outcome in LEARNED])
    return rows.count_ended(transaction, family, Outcome.FAILED.value, None if last is None else last.ended_at)
