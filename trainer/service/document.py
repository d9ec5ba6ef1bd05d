"""What the server's record is told of a training that ended: short, with numbers, and words that a person reads."""

from collections.abc import Sequence
from typing import Any

from trainer.service.figures import Measured, PairFigures
from trainer.service.job_state import Attempt, Job, Learned, Outcome

WORDS_MAX, REASON_MAX = 500, 1000
DEVICES_MAX = 100


def document_of(job: Job) -> dict[str, Any]:
    """The document of `dctwire runs end`; what is not known is left out."""
    attempt = job.deciding
    assert job.ended is not None
    told: dict[str, Any] = {
        "reason": job.ended.reason[:REASON_MAX],
        "data_until": job.data_until if job.ended.outcome is not Outcome.FAILED else None,
        "parent": None if job.champion is None else f"{job.family}/{job.champion.counter}",
        "counter": job.counter if job.published is not None and job.published.is_signed else None,
        "rollout": None if job.rollout is None else job.rollout.rollout,
        "cost": {
            "wall_seconds": round(job.cost.wall_seconds, 3),
            "cpu_seconds": round(job.cost.cpu_seconds, 3),
            "peak_memory_bytes": job.cost.peak_bytes,
        },
        "steps": {name: round(seconds, 3) for name, seconds in job.steps.items()},
        "commands": [command[:WORDS_MAX] for command in commands_of(job)],
    }
    if attempt is not None:
        told |= _of_attempt(attempt)
    return {name: value for name, value in told.items() if value is not None}


def commands_of(job: Job) -> tuple[str, ...]:
    """What somebody has to type for it to go on."""
    signing = () if job.published is None else job.published.commands
    return (*signing, *(() if job.rollout is None else job.rollout.commands))


def _of_attempt(attempt: Attempt) -> dict[str, Any]:
    told: dict[str, Any] = {
        "verdicts": [
            {"gate": each.gate.value, "opinion": each.opinion.value, "words": each.words[:WORDS_MAX]}
            for each in attempt.verdicts
        ]
    }
    if attempt.learned is not None:
        told |= _of_learned(attempt.learned)
    if attempt.measured is not None:
        told["figures"] = figures_of(attempt.measured)
    return told


def _of_learned(learned: Learned) -> dict[str, Any]:
    set_aside = [{"device": each.device, "why": each.why[:WORDS_MAX]} for each in learned.set_aside[:DEVICES_MAX]]
    return {
        "data_digest": learned.data_digest,
        "recipe_digest": learned.recipe_digest,
        "sources": learned.sources,
        "set_aside": set_aside,
        "left_out": learned.left_out,
    }


def figures_of(measured: Measured) -> list[dict[str, Any]]:
    """What was measured, a row each, with its interval where it has one."""
    rows = _of_pair("holdout", measured.holdout)
    if measured.recent is not None:
        rows += _of_pair("recent uploads", measured.recent)
    return [*rows, *_of_bytes(measured)]


def _of_pair(frames: str, pair: PairFigures) -> list[dict[str, Any]]:
    gain = (pair.gain, pair.low, pair.high)
    told: Sequence[tuple[str, tuple[float, float, float]]] = (
        (f"champion's accuracy, {frames}", pair.champion),
        (f"accuracy, {frames}", pair.challenger),
        (f"gain, {frames}", gain),
    )
    return [
        {"name": name, "unit": "share", "value": value, "low": low, "high": high, "n": pair.n}
        for name, (value, low, high) in told
    ]


def _of_bytes(measured: Measured) -> list[dict[str, Any]]:
    pair = measured.holdout
    sizes = {
        "champion's scan bytes a frame": pair.champion_bytes,
        "scan bytes a frame": pair.challenger_bytes,
        "budget, scan bytes a frame": measured.budget,
    }
    return [{"name": name, "unit": "bytes", "value": value, "n": pair.n} for name, value in sizes.items()]
