"""A training as its page shows it: where it stands, what each gate said, what was measured, in words. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from cloud_server.console import words
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.trainings.document import Figure, Opinion, RunDocument, Unit
from cloud_server.trainings.standing import Outcome, State, Trigger, is_silent

BECAUSE = {
    Trigger.OPERATOR: "an operator asked for it",
    Trigger.SCHEDULE: "it was time",
    Trigger.LABELS: "there are new labels",
    Trigger.DRIFT: "frames drift from those it was trained on",
    Trigger.GAP: "labels contradict the estimated accuracy",
}
_ENDED = {
    Outcome.PUBLISHED: ("published", "good"),
    Outcome.DRAFT: ("waits for somebody", "warn"),
    Outcome.REFUSED: ("refused by its gates", "bad"),
    Outcome.FAILED: ("failed", "bad"),
    Outcome.CANCELLED: ("cancelled", "quiet"),
}
_OPINIONS = {
    Opinion.PASS: ("holds", "good"),
    Opinion.REFUSE: ("refuses", "bad"),
    Opinion.UNKNOWN: ("cannot tell", "warn"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A training in a list; times are seconds since 1970.

    Args:
        kind: of the pill that says where it stands.
        version: the address of the bundle's page below /console; empty: none is published.
    """

    id: str
    family: str
    because: str
    reason: str
    stands: str
    kind: str
    asked_by: str
    created_at: float
    ended_at: float | None
    counter: int | None
    version: str
    rollout: str
    is_open: bool

    @classmethod
    def of(cls, run: RunRow, is_published: Callable[[str], bool], now: float) -> Self:
        """What a row says.

        Args:
            is_published: whether there is a bundle of a name.
        """
        stands, kind = _stands(run, now)
        has_page = run.counter is not None and is_published(f"{run.family}/{run.counter}")
        return cls(
            id=run.id,
            family=run.family,
            because=BECAUSE[Trigger(run.trigger)],
            reason=run.reason or "",
            stands=stands,
            kind=kind,
            asked_by=run.asked_by,
            created_at=run.created_at,
            ended_at=run.ended_at,
            counter=run.counter,
            version=f"/versions/{run.family}/{run.counter}" if has_page else "",
            rollout=run.rollout or "",
            is_open=run.state != State.ENDED,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """What a gate said."""

    gate: str
    opinion: str
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its interval, as it is written; empty: it has none."""

    name: str
    value: str
    interval: str
    frames: str


@dataclass(frozen=True, slots=True)
class View:
    """All of a page.

    Args:
        happens: what happens now, or what came of it, in sentences.
        facts: headings, and what stands beside each.
    """

    line: Line
    happens: tuple[str, ...]
    verdicts: tuple[Said, ...]
    figures: tuple[Measured, ...]
    facts: tuple[tuple[str, str], ...]
    set_aside: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def viewed(run: RunRow, is_published: Callable[[str], bool], now: float) -> View:
    """What the page of a training shows; `now` in seconds since 1970."""
    document = RunDocument() if run.document is None else RunDocument.read(run.document)
    return View(
        line=Line.of(run, is_published, now),
        happens=tuple(filter(None, (_happens(run, now), document.reason))),
        verdicts=tuple(Said(each.gate, *_OPINIONS[each.opinion], each.words) for each in document.verdicts),
        figures=tuple(map(_measured, document.figures)),
        facts=tuple(_facts(run, document)),
        set_aside=tuple((each.device, each.why) for each in document.set_aside),
        commands=document.commands,
    )


def _stands(run: RunRow, now: float) -> tuple[str, str]:
    """Where it stands, in short, and the kind of its pill."""
    if run.state == State.QUEUED:
        return "waits for a trainer", "info"
    if run.outcome is not None:
        return _ENDED[Outcome(run.outcome)]
    if is_silent(run, now):
        return "overdue", "bad"
    done = "" if run.share is None else f", {words.percent(run.share, 0)}"
    return f"{run.stage or 'begun'}{done}", "info"


def _happens(run: RunRow, now: float) -> str:
    if run.state == State.QUEUED:
        return "It begins as soon as a trainer's service asks for work."
    if run.state == State.RUNNING and is_silent(run, now):
        return f"{run.worker} has not told how far it is; another trainer may go on with it."
    if run.state == State.RUNNING:
        return f"{run.worker} trains, and told so {words.ago(run.told_at or now, now)}."
    return {
        Outcome.PUBLISHED: f"All gates held, and v{run.counter} is published.",
        Outcome.DRAFT: "All gates held. It waits for somebody before it reaches a camera.",
        Outcome.REFUSED: "What was trained is kept from the cameras: not all gates held.",
        Outcome.FAILED: "It could not be done; the trainer tries again later.",
        Outcome.CANCELLED: "An operator ended it.",
    }[Outcome(run.outcome or Outcome.CANCELLED)]


def _measured(figure: Figure) -> Measured:
    low, high = figure.low, figure.high
    interval = "" if low is None or high is None else f"{_written(low, figure.unit)} to {_written(high, figure.unit)}"
    frames = "" if figure.n is None else words.count(figure.n)
    return Measured(figure.name, _written(figure.value, figure.unit), interval, frames)


def _written(value: float, unit: Unit) -> str:
    if unit is Unit.SHARE:
        return words.percent(value, 2)
    if unit is Unit.SECONDS:
        return f"{value:.4g} s"
    return f"{value:.4g} B" if unit is Unit.BYTES else f"{value:.4g}"


def _facts(run: RunRow, document: RunDocument) -> list[tuple[str, str]]:
    cost, sources = document.cost, document.sources
    memory = None if cost is None else cost.peak_memory_bytes
    cpu = None if cost is None else cost.cpu_seconds
    told = {
        "Trainer": run.worker,
        "Begun again": words.plural(run.attempts - 1, "time") if run.attempts > 1 else None,
        "Went on from": document.parent,
        "Learned from": ", ".join(f"{words.count(number)} {name}" for name, number in sources.items()),
        "Left out": ", ".join(f"{words.count(number)} {cause}" for cause, number in document.left_out.items()),
        "Took": None if cost is None else words.duration(cost.wall_seconds),
        "Of CPU": None if cpu is None else words.duration(cpu),
        "Memory": None if memory is None else words.size(memory),
        "Steps": ", ".join(f"{name} {seconds:.0f} s" for name, seconds in document.steps.items()),
        "Digest of the data": document.data_digest,
        "Digest of the recipe": document.recipe_digest,
    }
    return [(heading, text) for heading, text in told.items() if text]
