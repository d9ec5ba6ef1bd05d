"""Figures, signals and trainings as tests want them: good ones, but for what a test changes."""

from typing import Any

from trainer.service.figures import (
    CalibrationFigures,
    ClassPair,
    EightBitFigures,
    GoldenFigures,
    Measured,
    PairFigures,
)
from trainer.service.signals import Signals

NOW = 1_800_000_000.0
BUDGET = 100.0


def classes(*rights: tuple[int, int], n: int = 50) -> tuple[ClassPair, ...]:
    """Classes a, b, ... of n frames: how many of each the champion and the challenger name rightly."""
    return tuple(
        ClassPair(label=chr(ord("a") + place), n=n, champion_right=champion, challenger_right=challenger)
        for place, (champion, challenger) in enumerate(rights)
    )


def pair(**changes: Any) -> PairFigures:
    """A challenger that is somewhat better."""
    usual: dict[str, Any] = {
        "name": "holdout",
        "n": 100,
        "champion_right": 70,
        "challenger_right": 74,
        "only_champion": 4,
        "only_challenger": 8,
        "gain": 0.04,
        "low": -0.01,
        "high": 0.09,
        "p": 0.39,
        "champion_bytes": 100.0,
        "challenger_bytes": 101.0,
        "classes": classes((35, 37), (35, 37)),
    }
    return PairFigures.model_validate(usual | changes)


def measured(**changes: Any) -> Measured:
    """What every gate lets through."""
    usual: dict[str, Any] = {
        "holdout": pair(),
        "recent": pair(name="recent", n=400, champion_right=200, challenger_right=300, gain=0.25, low=0.2, high=0.3),
        "int8": EightBitFigures(right=990, float_right=991, n=1000),
        "calibration": CalibrationFigures(error=0.03, temperature=1.2, n=1000),
        "golden": GoldenFigures(n=32, rows=16, worst=1e-6),
        "encoding_faults": (),
        "budget": BUDGET,
        "data": "synthetic",
        "champion": "doorbell/1",
        "bundle": "doorbell/2",
        "bundle_sha256": "b" * 64,
        "classifier_sha256": "c" * 64,
        "tables_id": "0123456789abcdef",
        "champion_tables_id": "fedcba9876543210",
    }
    return Measured.model_validate(usual | changes)


def signals(**changes: Any) -> Signals:
    """A family that was trained an hour ago, has no new labels, and shows nothing."""
    usual: dict[str, Any] = {
        "family": "doorbell",
        "at": NOW,
        "labels_total": 1000,
        "labels_since": 0,
        "last_run": {"id": "a", "state": "ended", "outcome": "published", "ended_at": NOW - 3600},
    }
    return Signals.model_validate(usual | changes)
