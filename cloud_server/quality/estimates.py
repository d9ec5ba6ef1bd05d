"""How accurate answers are before anybody has said what is right: the mean of calibrated confidences.

A calibrated confidence is how often such an answer is right, so its mean over frames is how often answers are right.
That holds for frames like those that the temperature was fitted on. So only these count: an exact match, answered by a
classifier that came with a temperature. Frames of devices in quarantine count nowhere.

Where the field is no more like that, confidences mislead. The random audit tells: its share of right answers has an
interval, and an estimate outside of it is none any more.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial

from cloud_server.answered import AnsweredFrames
from cloud_server.metrics import Metrics
from cloud_server.quality_metrics import AccuracyFigures
from cloud_server.storage.database import Database
from cloud_server.storage.repeating import logged
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.sums import HOUR_SECONDS, Known
from shared.bundle import Reference
from shared.wire import Match

Z95 = 1.959964
"""The normal distribution's 97.5th percentile."""
WINDOW_HOURS = 7 * 24
AUDITED_MIN = 100
"""Fewer audited frames say nothing of an estimate: their interval is wider than any gap worth waking anybody for."""
GAP_SHARE = 0.02
"""How far an estimate may lie outside of the audit's interval before that is told."""
REFRESH_SECONDS = 20.0
MILLION = 1_000_000


def may_be_estimated(match: Match, reference: Reference | None) -> bool:
    """Whether confidences of such frames tell how accurate the answers are."""
    return match is Match.EXACT and reference is not None and reference.temperature is not None


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The interval of a share at 95 % (E. B. Wilson, 1927); n is at least 1."""
    share, z2 = correct / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def gap_of(estimated: float, audited: int, correct: int) -> float | None:
    """How far an estimate lies above the audit's interval, or below it (negative); 0: within; None: too few audited."""
    if audited < AUDITED_MIN:
        return None
    low, high = wilson(correct, audited)
    return max(estimated - high, 0.0) + min(estimated - low, 0.0)


def figures_of(known: Known) -> AccuracyFigures:
    """What sums say of a version's accuracy."""
    estimated = known.expected_millionths / MILLION / known.estimated if known.estimated > 0 else None
    audited, correct = known.audited, known.audited_correct
    low, high = wilson(correct, audited) if audited > 0 else (None, None)
    return AccuracyFigures(
        family=known.family,
        tables=known.tables,
        estimated=estimated,
        audited=correct / audited if audited > 0 else None,
        low=low,
        high=high,
        gap=None if estimated is None else gap_of(estimated, audited, correct),
    )


class Estimates:
    """Counts confidences as frames are answered, and says a few times a minute what all processes know together.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, metrics: Metrics, now: Callable[[], float]) -> None:
        self._database = database
        self._metrics = metrics
        self._now = now
        self._latest: Sequence[AccuracyFigures] = ()

    @property
    def latest(self) -> Sequence[AccuracyFigures]:
        """What was known a moment ago of each version that was seen within a week."""
        return self._latest

    def observe(self, answered: AnsweredFrames) -> None:
        """Count the confidences of answered frames. Never waits."""
        if not may_be_estimated(answered.match, answered.reference):
            return
        confidences = [frame.confidence for frame in answered.frames if frame.is_counted]
        if confidences:
            self._metrics.count_estimated(answered.family, answered.tables, len(confidences), sum(confidences))

    async def run(self) -> None:
        """Refresh what is known, until cancelled."""
        while True:
            with logged("estimates-not-refreshed"):
                await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read the sums of the last week, and set the gauges.

        Raises:
            StorageError: the database does not answer.
        """
        first_hour = int(self._now()) // HOUR_SECONDS - WINDOW_HOURS
        found = await self._database.read(partial(sums.known, match=Match.EXACT.value, first_hour=first_hour))
        self._latest = tuple(map(figures_of, found))
        self._metrics.set_accuracies(self._latest)
