"""Where a rollout stands, and what it does next. Pure: what was seen, and what time it is, are parameters.

    draft > preflight > stage 0 > stage 1 ... > soak > complete

and, beside that way: paused, rolling back > rolled back, aborted, superseded. Devices are exposed to the new bundle
from stage 0 on, also while the rollout is paused; in every state from which it goes back, nobody is.

A rollout is never stuck: each state that waits has a deadline, and a paused one is rolled back in the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from cloud_server.errors import ConflictError
from cloud_server.fleet.exposure import Reach
from cloud_server.rollout.gates import Opinion
from cloud_server.rollout.plan import OnFail, Plan, Stage

BEFORE_STAGES = -1
"""The number of the stage while nobody is exposed yet."""
KNOWN_SECONDS = 10.0
"""After so long it is known what devices sent: processes write it every five seconds."""
GAP_SECONDS = 60.0
"""A rollout that was not led for longer was not watched meanwhile; or the clock has jumped."""


class State(StrEnum):
    """The states of a rollout."""

    DRAFT = "draft"
    PREFLIGHT = "preflight"
    STAGE = "stage"
    SOAK = "soak"
    PAUSED = "paused"
    ROLLING_BACK = "rolling-back"
    COMPLETE = "complete"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"

    @property
    def is_active(self) -> bool:
        """Whether the rollout goes on by itself or waits for an operator; a family has one such at most."""
        return self not in _ENDED


_ENDED = frozenset({State.COMPLETE, State.ABORTED, State.ROLLED_BACK, State.SUPERSEDED})


class Why(StrEnum):
    """Why a rollout is paused."""

    OPERATOR = "operator"
    GATE = "gate"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rollout stands.

    Args:
        stage: the last stage that was begun, from 0; `BEFORE_STAGES` before the first, the number of stages in the
            soak after them.
        paused_why: of a paused rollout.
        since: when this state began, in seconds since 1970.
        stage_since: when this stage, or its second try after a pause, began.
        looks: how many looks of this stage were taken.
    """

    state: State
    since: float
    stage: int = BEFORE_STAGES
    paused_why: Why | None = None
    stage_since: float = 0
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a rollout at a moment.

    Args:
        is_served: whether every live process serves the new bundle.
        settled: how many exposed devices are confirmed or failed.
        fail_rate: whether too many of them failed.
        frames: answered with the new bundle.
        still_new: how many devices are online and were not seen back on the old bundle.
        look: what the gates say; None where they were not judged now.
    """

    is_served: bool
    settled: int
    fail_rate: Opinion
    frames: int
    still_new: int
    look: tuple[Opinion, ...] | None


def begun(now: float) -> Standing:
    """A new rollout."""
    return Standing(State.DRAFT, now)


def reaches(plan: Plan, standing: Standing) -> tuple[Reach, ...]:
    """Which devices are exposed to the new bundle: those of every stage so far; nobody's once it goes back."""
    is_exposing = standing.state in {State.STAGE, State.SOAK, State.PAUSED, State.COMPLETE}
    return tuple(stage.reach for stage in plan.stages[: standing.stage + 1]) if is_exposing else ()


def is_look_due(plan: Plan, standing: Standing, now: float) -> bool:
    """Whether the gates are to be judged now: at evenly spaced times, the last of them at the deadline.

    The last look of a stage waits for the end of a quiet time, since nothing may follow from it before.
    """
    at = next_look_at(plan, standing)
    if at is None or now < at:
        return False
    return standing.looks + 1 < _looks(plan, standing)[0] or not plan.is_quiet(now)


def next_look_at(plan: Plan, standing: Standing) -> float | None:
    """When the gates are judged next, in seconds since 1970; None: not again as it stands, or there are none."""
    if standing.state not in {State.STAGE, State.SOAK} or not _gates(plan, standing):
        return None
    looks, length = _looks(plan, standing)
    following = standing.looks + 1
    return None if following > looks else standing.stage_since + length * following / looks


def following(plan: Plan, standing: Standing, seen: Seen, now: float) -> Standing:
    """Where the rollout stands next; the same standing where it stays.

    Only one step is made at a time. A clock that was set back begins the state's time anew.
    """
    if now < max(standing.since, standing.stage_since):
        return replace(standing, since=min(standing.since, now), stage_since=min(standing.stage_since, now))
    rule = _RULES.get(standing.state)
    return standing if rule is None else rule(plan, standing, seen, now)


def gap_seconds(led_at: float | None, now: float) -> float:
    """For how long nobody led a rollout, or by how much the clock has jumped, which looks the same; 0: neither.

    Args:
        led_at: when it was led last; None: it is led for the first time.
    """
    gap = 0.0 if led_at is None else now - led_at
    return gap if gap < -GAP_SECONDS or gap > GAP_SECONDS else 0.0


def put_off(since: float, gap: float, now: float) -> float:
    """Since when something lasts after a gap, in which nothing was seen; a clock that was set back begins it anew."""
    return min(since + max(gap, 0.0), now)


def paused(standing: Standing, now: float) -> Standing:
    """What an operator's `pause` leads to; a paused rollout stays paused, whatever paused it.

    Raises:
        ConflictError: it goes back, or is over.
    """
    _require(standing, "paused", State.DRAFT, State.PREFLIGHT, State.STAGE, State.SOAK, State.PAUSED)
    return standing if standing.state is State.PAUSED else _paused(standing, Why.OPERATOR, now)


def resumed(plan: Plan, standing: Standing, stage: int | None, now: float) -> Standing:
    """What an operator's `resume` leads to: the stage begins anew, with all its looks; before the first, the draft.

    Args:
        stage: an earlier one to go back to, from 0, so that devices beyond it get their old bundle; None: the same.

    Raises:
        ConflictError: it is not paused, or never was in that stage.
    """
    _require(standing, "resumed", State.PAUSED)
    again = standing.stage if stage is None else stage
    if not BEFORE_STAGES <= again <= standing.stage:
        raise ConflictError(f"the rollout was never in stage {again + 1}; it is paused in {standing.stage + 1}")
    if again == BEFORE_STAGES:
        return begun(now)
    state = State.SOAK if again == len(plan.stages) else State.STAGE
    return Standing(state, now, again, stage_since=now)


def promoted(plan: Plan, standing: Standing, *, is_whole: bool, now: float) -> Standing:
    """What an operator's `promote` leads to: the next stage now, whatever the gates say.

    Args:
        is_whole: to the end, so that the bundle is released to everybody.

    Raises:
        ConflictError: it has not begun, goes back or is over.
    """
    _require(standing, "promoted", State.STAGE, State.SOAK, State.PAUSED)
    if standing.stage == BEFORE_STAGES:
        raise ConflictError("the rollout has no stage yet from which it could be promoted; resume it")
    if is_whole or standing.stage >= len(plan.stages):
        return replace(_entered(standing, State.COMPLETE, now), stage=len(plan.stages), paused_why=None)
    return _next_stage(plan, standing, now)


def aborted(standing: Standing, now: float) -> Standing:
    """What an operator's `abort` leads to: over, and nobody is exposed any more.

    Raises:
        ConflictError: it is over.
    """
    _require(standing, "aborted", *(state for state in State if state.is_active))
    return replace(_entered(standing, State.ABORTED, now), paused_why=None)


def rolled_back(standing: Standing, now: float) -> Standing:
    """What an operator's `rollback` leads to: nobody is exposed, and it waits until the devices are back.

    Raises:
        ConflictError: it is over.
    """
    _require(standing, "rolled back", *(state for state in State if state.is_active))
    if standing.state is State.ROLLING_BACK:
        return standing
    return replace(_entered(standing, State.ROLLING_BACK, now), paused_why=None)


def superseded(standing: Standing, now: float) -> Standing:
    """What another rollout or assignment of the family makes of this one.

    Raises:
        ConflictError: it is over.
    """
    _require(standing, "superseded", *(state for state in State if state.is_active))
    return replace(_entered(standing, State.SUPERSEDED, now), paused_why=None)


def _after_draft(plan: Plan, standing: Standing, _seen: Seen, now: float) -> Standing:
    may_start = now >= (plan.starts_at or 0) and not plan.is_quiet(now)
    return _entered(standing, State.PREFLIGHT, now) if may_start else standing


def _after_preflight(plan: Plan, standing: Standing, seen: Seen, now: float) -> Standing:
    if seen.is_served:
        return standing if plan.is_quiet(now) else _next_stage(plan, standing, now)
    is_late = now - standing.since >= plan.preflight_seconds
    return _paused(standing, Why.INCONCLUSIVE, now) if is_late else standing


def _after_stage(plan: Plan, standing: Standing, seen: Seen, now: float) -> Standing:
    stage = plan.stages[standing.stage]
    looked = standing if seen.look is None else replace(standing, looks=standing.looks + 1)
    if _has_failed(seen):
        return _stopped(stage, looked, now)
    if _has_passed(stage, looked, seen, now) and not plan.is_quiet(now):
        return _next_stage(plan, looked, now)
    is_over = now - standing.stage_since >= stage.deadline_seconds and not plan.is_quiet(now)
    return _paused(looked, Why.INCONCLUSIVE, now) if is_over else looked


def _after_soak(plan: Plan, standing: Standing, seen: Seen, now: float) -> Standing:
    """Nothing has to be shown any more; what fails is stopped as in the last stage."""
    looked = standing if seen.look is None else replace(standing, looks=standing.looks + 1)
    if _has_failed(seen):
        return _stopped(plan.stages[-1], looked, now)
    is_over = now - standing.stage_since >= plan.soak_seconds
    return _entered(looked, State.COMPLETE, now) if is_over else looked


def _after_pause(plan: Plan, standing: Standing, _seen: Seen, now: float) -> Standing:
    is_forgotten = now - standing.since >= plan.pause_max_seconds
    return rolled_back(standing, now) if is_forgotten else standing


def _after_rolling_back(plan: Plan, standing: Standing, seen: Seen, now: float) -> Standing:
    elapsed = now - standing.since
    is_done = (seen.still_new == 0 and elapsed >= KNOWN_SECONDS) or elapsed >= plan.rollback_seconds
    return _entered(standing, State.ROLLED_BACK, now) if is_done else standing


_RULES = {
    State.DRAFT: _after_draft,
    State.PREFLIGHT: _after_preflight,
    State.STAGE: _after_stage,
    State.SOAK: _after_soak,
    State.PAUSED: _after_pause,
    State.ROLLING_BACK: _after_rolling_back,
}
"""What leads on from each state in which a rollout waits."""


def _has_failed(seen: Seen) -> bool:
    return Opinion.FAIL in {seen.fail_rate, *(seen.look or ())}


def _has_passed(stage: Stage, standing: Standing, seen: Seen, now: float) -> bool:
    """Whether everything that the stage asks for was seen; where it has gates, only at a look."""
    opinions: Iterable[Opinion] = (seen.look or (Opinion.HOLD,)) if stage.gates else ()
    return (
        now - standing.stage_since >= stage.min_soak_seconds
        and seen.settled >= stage.min_devices
        and seen.frames >= stage.min_frames
        and (seen.fail_rate is Opinion.PASS or stage.min_devices == 0)
        and all(opinion is Opinion.PASS for opinion in opinions)
    )


def _stopped(stage: Stage, standing: Standing, now: float) -> Standing:
    if stage.on_fail is OnFail.ROLLBACK:
        return rolled_back(standing, now)
    return _paused(standing, Why.GATE, now)


def _next_stage(plan: Plan, standing: Standing, now: float) -> Standing:
    number = standing.stage + 1
    if number < len(plan.stages):
        return Standing(State.STAGE, now, number, stage_since=now)
    if plan.soak_seconds:
        return Standing(State.SOAK, now, number, stage_since=now)
    return Standing(State.COMPLETE, now, number, stage_since=now)


def _gates(plan: Plan, standing: Standing) -> bool:
    return bool(plan.stage(standing.stage).gates)


def _looks(plan: Plan, standing: Standing) -> tuple[int, float]:
    """How many looks the stage has, and how long it takes; the soak has as many as the last stage."""
    if standing.state is State.SOAK:
        return plan.stages[-1].looks, plan.soak_seconds
    stage = plan.stages[standing.stage]
    return stage.looks, stage.deadline_seconds


def _entered(standing: Standing, state: State, now: float) -> Standing:
    return replace(standing, state=state, since=now)


def _paused(standing: Standing, why: Why, now: float) -> Standing:
    return replace(standing, state=State.PAUSED, since=now, paused_why=why)


def _require(standing: Standing, done: str, *states: State) -> None:
    if standing.state not in states:
        raise ConflictError(f"the rollout's state is {standing.state.value}: it cannot be {done}")
