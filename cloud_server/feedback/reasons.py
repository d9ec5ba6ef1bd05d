"""Which frames are worth keeping, and how many: rules without clock, chance or storage."""

from dataclasses import dataclass
from enum import StrEnum

from shared.wire import Kind, Match

DEVICES_LEAST = 10
"""So many devices it takes to fill a family's caps with details."""
HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
_ANSWERS_A_CLASS = 100
_ANSWERS_AT_LEAST = 1000


class Reason(StrEnum):
    """Why a frame is kept. It has one reason, the first of these that holds.

    RANDOM comes first and looks at nothing else: what it picks is a fair sample of what the fleet sees. DETAIL is that
    of details alone, which belong to frames, and of no frame.
    """

    RANDOM = "random"
    NEAR_THRESHOLD = "near_threshold"
    RARE_CLASS = "rare_class"
    DISAGREEMENT = "disagreement"
    DETAIL = Kind.DETAIL.value


class Dropped(StrEnum):
    """Why a frame that had a reason was not kept."""

    CAP = "cap"
    FULL = "full"
    QUEUE = "queue"
    GONE = "gone"
    STORAGE = "storage"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRules:
    """How unusual a frame must be to be kept.

    Args:
        random_rate: the share of all frames that is kept by chance, 0..1.
        confidence_below: answers less confident than this are near the threshold, 0..1.
        rare_share: a class is rare below this share of what it would have if all were equally frequent, 0..1.
    """

    random_rate: float
    confidence_below: float
    rare_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCaps:
    """How many frames a family may have kept for one reason, by the hour and by the day of UTC."""

    hourly: int
    daily: int

    def of_device(self) -> "SampleCaps":
        """What one device may have of them, so that none fills them alone: a share, and one at least."""
        return SampleCaps(hourly=max(1, self.hourly // DEVICES_LEAST), daily=max(1, self.daily // DEVICES_LEAST))


def reason_for(rules: SampleRules, *, drawn: float, confidence: float, rarity: float, match: Match) -> Reason | None:
    """Why this frame is kept, if it is.

    A frame that a classifier was not trained for is kept by chance only: whatever else is unusual about its answer
    says more about the tables, or about resizing, than about the picture.

    Args:
        drawn: a number drawn evenly from 0..1.
        rarity: how often the answer is given, over an equal share; see `RecentAnswers`.
    """
    if drawn < rules.random_rate:
        return Reason.RANDOM
    if match is not Match.EXACT:
        return None
    if confidence < rules.confidence_below:
        return Reason.NEAR_THRESHOLD
    return Reason.RARE_CLASS if rarity < rules.rare_share else None


def closed_until(caps: SampleCaps, *, in_hour: int, in_day: int, now: float) -> float | None:
    """When the next frame may be kept, in seconds since 1970; None: now.

    Args:
        in_hour: how many frames were kept since `hour_began(now)`.
        in_day: how many frames were kept since `day_began(now)`.
    """
    if in_day >= caps.daily:
        return day_began(now) + DAY_SECONDS
    if in_hour >= caps.hourly:
        return hour_began(now) + HOUR_SECONDS
    return None


def hour_began(now: float) -> float:
    """When the hour of UTC began in which `now` lies."""
    return now - now % HOUR_SECONDS


def day_began(now: float) -> float:
    """When the day of UTC began in which `now` lies."""
    return now - now % DAY_SECONDS


class RecentAnswers:
    """How often each label was answered lately: counts that are halved whenever there are enough of them."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._total = 0

    def note(self, label: str, classes: int) -> float:
        """Count an answer; returns its label's share of recent answers times `classes`, so 1 is an equal share.

        Before there are enough answers to say, it returns 1.
        """
        count = self._counts[label] = self._counts.get(label, 0) + 1
        self._total += 1
        enough = max(_ANSWERS_AT_LEAST, _ANSWERS_A_CLASS * classes)
        rarity = count * classes / self._total if self._total >= enough // 2 else 1.0
        if self._total >= enough:
            self._halve()
        return rarity

    def _halve(self) -> None:
        self._counts = {label: count // 2 for label, count in self._counts.items() if count > 1}
        self._total = sum(self._counts.values())
