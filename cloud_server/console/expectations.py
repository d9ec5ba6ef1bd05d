"""What a trainer expected of a version beside what the field shows, in words and numbers."""

from dataclasses import dataclass
from enum import StrEnum

from cloud_server.console import words
from cloud_server.registry.measured import Measured
from cloud_server.registry.report import Accuracy
from shared.bundle import Expected

ALIKE = 0.05
"""Bytes a frame are as expected within this share of what was expected."""


class Verdict(StrEnum):
    """How what was measured compares with what was expected."""

    UNKNOWN = "unknown"
    AS_EXPECTED = "as expected"
    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One quantity: what was expected and what is measured, each in words, and how the two compare.

    Args:
        beside: what else is measured of it and judges nothing, in words; empty: nothing.
    """

    quantity: str
    expected: str
    measured: str
    verdict: Verdict
    why: str
    beside: str = ""


def comparisons(expected: Expected, seen: Measured | None) -> tuple[Comparison, ...]:
    """Scan bytes a frame and accuracy, of a version of which the field shows what `seen` says; None: nothing.

    Accuracy is judged by the random audit alone: which other frames have labels somebody has chosen.
    """
    return _of_bytes(expected, seen), _of_accuracy(expected, seen)


def _of_bytes(expected: Expected, seen: Measured | None) -> Comparison:
    said = f"half of the frames up to {expected.bytes_p50:.0f}, 95 % of them up to {expected.bytes_p95:.0f}"
    if seen is None or seen.scan_bytes is None:
        return Comparison("Scan bytes a frame", said, "unknown", Verdict.UNKNOWN, "No frame has come lately.")
    measured = f"{seen.scan_bytes:.0f} on average, over {words.plural(seen.frames, 'frame')}"
    if expected.bytes_p50 <= 0:
        return Comparison("Scan bytes a frame", said, measured, Verdict.UNKNOWN, "Nothing was expected.")
    change = seen.scan_bytes / expected.bytes_p50 - 1
    apart = Verdict.WORSE if change > 0 else Verdict.BETTER
    verdict = Verdict.AS_EXPECTED if abs(change) <= ALIKE else apart
    how = f"{words.percent(abs(change))} {'more' if change > 0 else 'less'}"
    why = f"On average {how} than the trainer's median: a few large frames alone raise a mean."
    return Comparison("Scan bytes a frame", said, measured, verdict, why)


def _of_accuracy(expected: Expected, seen: Measured | None) -> Comparison:
    said = f"{words.percent(expected.accuracy)} of {words.count(expected.n)} held-out frames of {expected.data}"
    audited, labelled = (None, None) if seen is None else (seen.audited, seen.accuracy)
    beside = "" if labelled is None else _share_of(labelled, "labelled frame")
    if audited is None:
        why = "No frame of the random audit has a label yet."
        return Comparison("Accuracy", said, "unknown", Verdict.UNKNOWN, why, beside)
    verdict, why = _judged(expected.accuracy, audited)
    return Comparison("Accuracy", said, _share_of(audited, "audited frame"), verdict, why, beside)


def _judged(expected: float, seen: Accuracy) -> tuple[Verdict, str]:
    if seen.high < expected:
        return Verdict.WORSE, "The whole interval is below what was expected."
    if seen.low > expected:
        return Verdict.BETTER, "The whole interval is above what was expected."
    return Verdict.AS_EXPECTED, "What was expected lies in the interval."


def _share_of(seen: Accuracy, frame: str) -> str:
    interval = f"{words.percent(seen.low)} to {words.percent(seen.high)}"
    return f"{words.percent(seen.share)} ({interval}) of {words.plural(seen.labelled, frame)}"
