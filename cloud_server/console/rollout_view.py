"""A rollout as its page shows it: where it stands in words, its steps, its cameras, what gates said, what may be done.

Pure: times are seconds since 1970, and what time it is is a parameter.
"""

from dataclasses import dataclass

from cloud_server.console.rollout_words import asks, happens, led, span, stands, whose, without_verdict
from cloud_server.errors import ConflictError
from cloud_server.registry.report import Accuracy, accuracy_of
from cloud_server.rollout.gate_kinds import FACTS
from cloud_server.rollout.gates import Opinion, Verdict
from cloud_server.rollout.outcomes import Outcome, Tally
from cloud_server.rollout.plan import Plan
from cloud_server.rollout.standing import (
    Standing,
    State,
    aborted,
    paused,
    promoted,
    resumed,
    rolled_back,
)
from cloud_server.rollout.steering import Command, Detail, Rollout

_KINDS = {
    State.STAGE: "info",
    State.SOAK: "info",
    State.PREFLIGHT: "info",
    State.PAUSED: "warn",
    State.ROLLING_BACK: "bad",
    State.ROLLED_BACK: "bad",
    State.ABORTED: "bad",
    State.COMPLETE: "good",
}
_BACK = frozenset({State.ROLLING_BACK, State.ROLLED_BACK, State.ABORTED, State.SUPERSEDED})
_OPINIONS = {Opinion.PASS: ("passes", "good"), Opinion.FAIL: ("fails", "bad"), Opinion.HOLD: ("waits", "warn")}
_OUTCOMES = {
    Outcome.CONFIRMED: ("confirmed", "proved it by their own frames", "good"),
    Outcome.ROLLED_BACK: ("rolled back", "took it, and went back by themselves", "bad"),
    Outcome.REJECTED: ("rejected", "never took it: it does not verify there, or cannot run", "bad"),
    Outcome.TIMED_OUT: ("timed out", "are online, and neither proved nor refused it in time", "bad"),
    Outcome.PENDING: ("pending", "are online, and still have time", "quiet"),
    Outcome.NOT_REACHED: ("not reached", "were not heard of since, and count on neither side", "quiet"),
}
_SETTLED = (Outcome.CONFIRMED, Outcome.ROLLED_BACK, Outcome.REJECTED, Outcome.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class Step:
    """One stage, or the soak behind them.

    Args:
        where: done, now, ahead, or back: it was reached, and its cameras are led back.
        share: of the cameras that are let in, 0..1.
        about: what it asks for, in words.
    """

    title: str
    where: str
    share: float
    about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cameras:
    """How many cameras have an outcome; of a settled one also their share of all settled cameras, with its interval."""

    outcome: Outcome
    title: str
    words: str
    kind: str
    devices: int
    share: Accuracy | None


@dataclass(frozen=True, slots=True)
class Said:
    """What a gate said at a look."""

    subject: str
    opinion: str
    kind: str
    words: str
    at: float
    stage: int


@dataclass(frozen=True, slots=True)
class Action:
    """What an operator may do to a rollout as it stands, and what will come of it."""

    name: str
    title: str
    sentence: str
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """A rollout in one line of the list."""

    id: str
    family: str
    led: str
    stands: str
    kind: str
    is_active: bool
    since: float
    created_at: float
    created_by: str
    note: str

    @classmethod
    def of(cls, rollout: Rollout) -> "Line":
        """The line of a rollout."""
        row, standing = rollout.row, rollout.standing
        return cls(
            id=row.id,
            family=row.family,
            led=led(rollout),
            stands=stands(rollout.plan, standing),
            kind=_KINDS.get(standing.state, "quiet"),
            is_active=standing.state.is_active,
            since=row.state_since,
            created_at=row.created_at,
            created_by=row.created_by,
            note=row.note or "",
        )


@dataclass(frozen=True, slots=True)
class RolloutView:
    """All that the page of a rollout shows.

    Args:
        line: it in short.
        happens: what happens now, and what follows, in sentences.
        percent: of the cameras with the stage's tags that are led to the new bundle.
        reached: how many of them were heard of since.
        newest: what each gate said last in this stage; `earlier`: all before that, the newest first.
        without_verdict: why no gate has said anything, where none has.
    """

    line: Line
    version: int
    happens: tuple[str, ...]
    steps: tuple[Step, ...]
    percent: float
    tags: tuple[str, ...]
    reached: int
    settled: int
    failed: Accuracy | None
    cameras: tuple[Cameras, ...]
    newest: tuple[Said, ...]
    earlier: tuple[Said, ...]
    without_verdict: str
    actions: tuple[Action, ...]
    stages_before: tuple[int, ...]


def viewed(detail: Detail, now: float) -> RolloutView:
    """What the page shows of a rollout at a time."""
    rollout, plan, standing, tally = detail.rollout, detail.rollout.plan, detail.rollout.standing, detail.tally
    newest, earlier = _verdicts(detail, standing)
    exposed = plan.stages[: standing.stage + 1][-1:] if standing.state not in _BACK else ()
    return RolloutView(
        line=Line.of(rollout),
        version=rollout.row.version,
        happens=happens(rollout, now),
        steps=_steps(plan, standing),
        percent=sum(stage.percent for stage in exposed),
        tags=tuple(tag for stage in exposed for tag in stage.tags),
        reached=sum(tally),
        settled=tally.settled,
        failed=accuracy_of(tally.settled, tally.failed),
        cameras=_cameras(tally),
        newest=newest,
        earlier=earlier,
        without_verdict=without_verdict(plan, standing, now),
        actions=_actions(plan, standing, now),
        stages_before=tuple(range(min(standing.stage, len(plan.stages) - 1) + 1)),
    )


def command_of(name: str, *, stage: int | None) -> Command | None:
    """What an action of `RolloutView` does; None: there is no such action.

    Args:
        stage: from which an action `resume` goes on, from 0; None: the same.
    """
    commands: dict[str, Command] = {
        "pause": lambda _plan, standing, now: paused(standing, now),
        "resume": lambda plan, standing, now: resumed(plan, standing, stage, now),
        "promote": lambda plan, standing, now: promoted(plan, standing, is_whole=False, now=now),
        "release": lambda plan, standing, now: promoted(plan, standing, is_whole=True, now=now),
        "rollback": lambda _plan, standing, now: rolled_back(standing, now),
        "abort": lambda _plan, standing, now: aborted(standing, now),
    }
    return commands.get(name)


_ACTIONS = (
    Action(
        "pause",
        "Pause",
        "No more cameras are let in; those that are keep the new bundle. After a while it is rolled back by itself, so "
        "that none is forgotten.",
        "plain",
    ),
    Action("resume", "Resume", "The stage begins anew, with all its looks.", "primary"),
    Action("promote", "Promote", "It goes on to the next stage now, whatever the gates say.", "plain"),
    Action(
        "release", "Release to all", "Every camera of the family is led to it now, whatever the gates say.", "plain"
    ),
    Action(
        "rollback",
        "Roll back",
        "Exactly the cameras that have the new bundle get their old one again; it is over once those that are online "
        "have it.",
        "danger",
    ),
    Action(
        "abort",
        "Abort",
        "It ends now. Cameras that have the new bundle get their old one again, and nobody waits until they have it.",
        "danger",
    ),
)


def _actions(plan: Plan, standing: Standing, now: float) -> tuple[Action, ...]:
    """What may be done: what the rules let pass, and what would change something."""

    def changes(action: Action) -> bool:
        command = command_of(action.name, stage=None)
        assert command is not None
        try:
            return command(plan, standing, now) != standing
        except ConflictError:
            return False

    return tuple(filter(changes, _ACTIONS))


def _steps(plan: Plan, standing: Standing) -> tuple[Step, ...]:
    steps = [
        Step(f"{stage.percent:g} %{whose(stage)}", _where(standing, number), stage.percent / 100, asks(stage))
        for number, stage in enumerate(plan.stages)
    ]
    if plan.soak_seconds:
        about = (f"everybody runs it for {span(plan.soak_seconds)}",)
        steps.append(Step("soak", _where(standing, len(plan.stages)), 1.0, about))
    return tuple(steps)


def _where(standing: Standing, number: int) -> str:
    if standing.state in _BACK:
        return "back" if number <= standing.stage else "ahead"
    if standing.state is State.COMPLETE or number < standing.stage:
        return "done"
    return "now" if number == standing.stage else "ahead"


def _cameras(tally: Tally) -> tuple[Cameras, ...]:
    counted = ((outcome, getattr(tally, outcome.name.lower())) for outcome in Outcome)
    return tuple(
        Cameras(
            outcome, *_OUTCOMES[outcome], devices, accuracy_of(tally.settled, devices) if outcome in _SETTLED else None
        )
        for outcome, devices in counted
    )


def _verdicts(detail: Detail, standing: Standing) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """The newest verdict of each gate in the newest stage that has any, and all others, the newest first."""
    said = [(row, Verdict.model_validate_json(row.document)) for row in detail.verdicts]
    stage = max((row.stage for row, _ in said if row.stage <= standing.stage), default=None)
    last = {row.gate: (row, verdict) for row, verdict in said if row.stage == stage}
    newest = [_said(verdict, row.at, row.stage) for row, verdict in last.values()]
    earlier = [_said(verdict, row.at, row.stage) for row, verdict in said if last.get(row.gate, (None,))[0] is not row]
    return tuple(newest), tuple(reversed(earlier))


def _said(verdict: Verdict, at: float, stage: int) -> Said:
    opinion, kind = _OPINIONS[verdict.opinion]
    subject = FACTS[verdict.gate].subject
    return Said(subject, opinion, kind, verdict.words.removeprefix(f"{subject} "), at, stage + 1)
