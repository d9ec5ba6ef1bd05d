"""The rules of a rollout: every state, every way out of it, and that none is without one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloud_server.errors import ConflictError
from cloud_server.fleet.exposure import Reach
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate, Opinion
from cloud_server.rollout.plan import OnFail, Plan, Quiet, Stage
from cloud_server.rollout.standing import (
    BEFORE_STAGES,
    Seen,
    Standing,
    State,
    Why,
    aborted,
    begun,
    following,
    gap_seconds,
    is_look_due,
    next_look_at,
    paused,
    promoted,
    put_off,
    reaches,
    resumed,
    rolled_back,
    superseded,
)

PASS, FAIL, HOLD = Opinion.PASS, Opinion.FAIL, Opinion.HOLD
NOW = 1_800_000_000.0  # 08:00 UTC
BYTES = Gate(kind=GateKind.BYTES)
SMALL = Stage(percent=1, min_devices=10, min_frames=100, min_soak_seconds=60, deadline_seconds=1000, gates=(BYTES,))
ALL = Stage(percent=100, deadline_seconds=1000)
PLAN = Plan(stages=(SMALL, ALL), soak_seconds=500)
NOTHING = Seen(is_served=False, settled=0, fail_rate=HOLD, frames=0, still_new=5, look=None)
ENOUGH = Seen(is_served=True, settled=10, fail_rate=PASS, frames=100, still_new=5, look=(PASS,))


def seen(**changes: Any) -> Seen:
    """What is enough to go on, but for this."""
    return replace(ENOUGH, **changes)


def in_stage(number: int, **changes: Any) -> Standing:
    """A rollout that has just come to a stage."""
    return replace(Standing(State.STAGE, NOW, number, stage_since=NOW), **changes)


SOAKING = Standing(State.SOAK, NOW, 2, stage_since=NOW)


def test_a_draft_goes_on_when_its_time_has_come_and_it_is_not_quiet() -> None:
    plan = PLAN.model_copy(update={"starts_at": NOW + 10, "quiet": (Quiet(begins="08:01", ends="09:00"),)})
    draft = begun(NOW)
    assert following(plan, draft, NOTHING, NOW + 9) == draft
    assert following(plan, draft, NOTHING, NOW + 10) == Standing(State.PREFLIGHT, NOW + 10)
    assert following(plan, draft, NOTHING, NOW + 60) == draft
    assert following(plan, draft, NOTHING, NOW + 3600).state is State.PREFLIGHT


def test_preflight_waits_until_every_process_serves_the_bundle_and_pauses_when_that_takes_too_long() -> None:
    standing = Standing(State.PREFLIGHT, NOW)
    assert following(PLAN, standing, NOTHING, NOW + 3599) == standing
    late = following(PLAN, standing, NOTHING, NOW + 3600)
    assert (late.state, late.paused_why, late.stage) == (State.PAUSED, Why.INCONCLUSIVE, BEFORE_STAGES)
    assert following(PLAN, standing, seen(), NOW + 3600) == Standing(State.STAGE, NOW + 3600, 0, stage_since=NOW + 3600)


def test_nobody_is_let_in_while_it_is_quiet() -> None:
    plan = PLAN.model_copy(update={"quiet": (Quiet(begins="07:00", ends="08:30"),)})
    standing = Standing(State.PREFLIGHT, NOW)
    assert following(plan, standing, seen(), NOW + 60) == standing
    assert following(plan, in_stage(0), seen(), NOW + 60) == in_stage(0, looks=1)
    assert following(plan, in_stage(0), seen(look=(FAIL,)), NOW + 60).state is State.ROLLING_BACK


@pytest.mark.parametrize(
    "missing",
    [
        {"settled": 9},
        {"frames": 99},
        {"fail_rate": HOLD},
        {"look": (HOLD,)},
        {"look": (PASS, HOLD)},
        {"look": None},
    ],
    ids=str,
)
def test_a_stage_goes_on_when_everything_that_it_asks_for_was_seen_and_not_before(missing: dict[str, Any]) -> None:
    after = following(PLAN, in_stage(0), seen(**missing), NOW + 60)
    assert (after.state, after.stage) == (State.STAGE, 0)
    assert after.looks == (0 if missing.get("look", PASS) is None else 1)
    assert following(PLAN, in_stage(0), seen(), NOW + 59) == in_stage(0, looks=1)
    assert following(PLAN, in_stage(0), seen(), NOW + 60) == Standing(State.STAGE, NOW + 60, 1, stage_since=NOW + 60)


def test_a_stage_without_gates_needs_no_look() -> None:
    after = following(PLAN, in_stage(1), seen(look=None), NOW + 1)
    assert after == Standing(State.SOAK, NOW + 1, 2, stage_since=NOW + 1)
    plan = PLAN.model_copy(update={"soak_seconds": 0})
    assert following(plan, in_stage(1), seen(look=None), NOW + 1).state is State.COMPLETE


def test_the_soak_has_all_its_looks_whatever_the_last_stage_took() -> None:
    plan = PLAN.model_copy(update={"stages": (SMALL, ALL.model_copy(update={"gates": (BYTES,)}))})
    assert following(plan, in_stage(1, looks=3), seen(), NOW + 60) == replace(
        SOAKING, since=NOW + 60, stage_since=NOW + 60
    )


def test_a_stage_that_asks_for_no_device_goes_on_without_one() -> None:
    plan = Plan(stages=(Stage(percent=100, min_devices=0),))
    assert following(plan, in_stage(0), seen(settled=0, fail_rate=HOLD, look=None), NOW).state is State.COMPLETE


@pytest.mark.parametrize("bad", [{"fail_rate": FAIL}, {"look": (PASS, FAIL)}], ids=["devices", "gate"])
@pytest.mark.parametrize("number", [0, 1, 2], ids=["first", "last", "soak"])
def test_what_fails_is_stopped_as_the_stage_says(bad: dict[str, Any], number: int) -> None:
    standing = SOAKING if number == len(PLAN.stages) else in_stage(number)
    after = following(PLAN, standing, seen(**bad), NOW + 1)
    assert (after.state, after.since, reaches(PLAN, after)) == (State.ROLLING_BACK, NOW + 1, ())
    stages = list(PLAN.stages)
    mine = min(number, len(stages) - 1)
    stages[mine] = stages[mine].model_copy(update={"on_fail": OnFail.PAUSE})
    after = following(PLAN.model_copy(update={"stages": tuple(stages)}), standing, seen(**bad), NOW + 1)
    assert (after.state, after.paused_why, after.stage) == (State.PAUSED, Why.GATE, number)
    assert reaches(PLAN, after) == reaches(PLAN, standing)


def test_a_stage_that_is_not_clear_by_its_deadline_pauses() -> None:
    assert following(PLAN, in_stage(0), seen(look=None), NOW + 999) == in_stage(0)
    after = following(PLAN, in_stage(0, looks=4), seen(look=(HOLD,)), NOW + 1000)
    assert (after.state, after.paused_why, after.stage, after.looks) == (State.PAUSED, Why.INCONCLUSIVE, 0, 5)
    assert following(PLAN, in_stage(0, looks=4), seen(), NOW + 1000).stage == 1


def test_a_deadline_waits_for_the_end_of_a_quiet_time() -> None:
    plan = PLAN.model_copy(update={"quiet": (Quiet(begins="08:00", ends="09:00"),)})
    standing = in_stage(0, looks=4)
    assert not is_look_due(plan, standing, NOW + 1000)
    assert following(plan, standing, seen(look=None), NOW + 1000) == standing
    assert is_look_due(plan, standing, NOW + 3600)
    assert is_look_due(plan, in_stage(0, looks=3), NOW + 1000)  # only the last one waits


def test_looks_are_evenly_spaced_and_no_more_than_planned() -> None:
    times = []
    standing = in_stage(0)
    for second in range(2001):
        if is_look_due(PLAN, standing, NOW + second):
            times.append(second)
            standing = replace(standing, looks=standing.looks + 1)
    assert times == [200, 400, 600, 800, 1000]
    assert [next_look_at(PLAN, in_stage(0, looks=looks)) for looks in (0, 4, 5)] == [NOW + 200, NOW + 1000, None]
    assert next_look_at(PLAN, in_stage(1)) is None
    assert not is_look_due(PLAN, in_stage(1), NOW + 1000)  # it has no gates
    assert not is_look_due(PLAN, Standing(State.PAUSED, NOW, 0, Why.OPERATOR, NOW), NOW + 1000)


def test_the_soak_is_looked_at_like_the_last_stage_and_ends_by_itself() -> None:
    plan = PLAN.model_copy(update={"stages": (SMALL, ALL.model_copy(update={"gates": (BYTES,), "looks": 2}))})
    assert not is_look_due(plan, SOAKING, NOW + 249)
    assert is_look_due(plan, SOAKING, NOW + 250)
    assert not is_look_due(plan, replace(SOAKING, looks=2), NOW + 500)
    assert following(plan, SOAKING, seen(look=(HOLD,)), NOW + 100) == replace(SOAKING, looks=1)
    assert following(plan, SOAKING, seen(look=None), NOW + 499) == SOAKING
    assert following(plan, SOAKING, seen(look=(HOLD,)), NOW + 500).state is State.COMPLETE


def test_a_paused_rollout_keeps_its_devices_and_is_rolled_back_when_it_is_forgotten() -> None:
    standing = paused(in_stage(1), NOW)
    assert (standing.paused_why, reaches(PLAN, standing)) == (Why.OPERATOR, (SMALL.reach, ALL.reach))
    assert paused(standing, NOW + 5) == standing
    week = 7 * 86_400
    assert following(PLAN, standing, seen(look=(FAIL,)), NOW + week - 1) == standing
    assert following(PLAN, standing, seen(), NOW + week).state is State.ROLLING_BACK


def test_a_resumed_stage_begins_anew_and_may_be_an_earlier_one() -> None:
    standing = paused(in_stage(1, looks=3), NOW)
    assert resumed(PLAN, standing, None, NOW + 9) == Standing(State.STAGE, NOW + 9, 1, stage_since=NOW + 9)
    assert reaches(PLAN, resumed(PLAN, standing, 0, NOW)) == (SMALL.reach,)
    assert resumed(PLAN, paused(begun(NOW), NOW), None, NOW + 9) == begun(NOW + 9), "its start time holds still"
    assert resumed(PLAN, paused(SOAKING, NOW), None, NOW) == SOAKING
    for stage in (2, -2):
        with pytest.raises(ConflictError, match="never in stage"):
            resumed(PLAN, standing, stage, NOW)
    with pytest.raises(ConflictError, match="state is stage: it cannot be resumed"):
        resumed(PLAN, in_stage(0), None, NOW)


def test_promoting_leads_to_the_next_stage_or_to_the_end() -> None:
    assert promoted(PLAN, in_stage(0), is_whole=False, now=NOW + 1) == in_stage(1, since=NOW + 1, stage_since=NOW + 1)
    assert promoted(PLAN, in_stage(1), is_whole=False, now=NOW).state is State.SOAK
    assert promoted(PLAN, SOAKING, is_whole=False, now=NOW).state is State.COMPLETE
    for standing in (in_stage(0), paused(in_stage(0), NOW)):
        whole = promoted(PLAN, standing, is_whole=True, now=NOW + 1)
        assert (whole.state, whole.stage, whole.since, whole.paused_why) == (State.COMPLETE, 2, NOW + 1, None)
    with pytest.raises(ConflictError, match="no stage yet"):
        promoted(PLAN, paused(begun(NOW), NOW), is_whole=True, now=NOW)
    with pytest.raises(ConflictError, match="is draft"):
        promoted(PLAN, begun(NOW), is_whole=True, now=NOW)


def test_rolling_back_waits_for_the_devices_but_not_for_ever() -> None:
    standing = rolled_back(in_stage(1), NOW)
    assert rolled_back(standing, NOW + 1) == standing
    assert following(PLAN, standing, seen(look=None), NOW + 86_399) == standing
    assert following(PLAN, standing, seen(look=None), NOW + 86_400).state is State.ROLLED_BACK
    assert following(PLAN, standing, seen(look=None, still_new=0), NOW + 9) == standing
    assert following(PLAN, standing, seen(look=None, still_new=0), NOW + 10).state is State.ROLLED_BACK


@pytest.mark.parametrize("end", [State.COMPLETE, State.ABORTED, State.ROLLED_BACK, State.SUPERSEDED])
def test_what_is_over_stays_over(end: State) -> None:
    standing = in_stage(1, state=end)
    assert not end.is_active
    assert following(PLAN, standing, seen(), NOW + 1e6) == standing
    for command in (paused, aborted, rolled_back, superseded):
        with pytest.raises(ConflictError, match=end.value):
            command(standing, NOW)


def test_a_rollout_that_is_complete_is_for_everybody() -> None:
    for standing in (in_stage(0), paused(in_stage(0), NOW), SOAKING):
        assert reaches(PLAN, promoted(PLAN, standing, is_whole=True, now=NOW)) == (SMALL.reach, ALL.reach)


@pytest.mark.parametrize("command", [aborted, rolled_back, superseded])
def test_whatever_is_active_can_be_stopped_and_then_exposes_nobody(command: Any) -> None:
    for standing in (begun(NOW), Standing(State.PREFLIGHT, NOW), in_stage(1), SOAKING, paused(in_stage(0), NOW)):
        after = command(standing, NOW + 1)
        assert (reaches(PLAN, after), after.since, after.paused_why) == ((), NOW + 1, None)


def test_a_clock_that_is_set_back_begins_the_time_anew_and_one_that_jumps_ahead_pauses() -> None:
    back = following(PLAN, in_stage(0), seen(look=None), NOW - 5000)
    assert back == in_stage(0, since=NOW - 5000, stage_since=NOW - 5000)
    assert is_look_due(PLAN, back, NOW - 4800)
    ahead = following(PLAN, in_stage(0), seen(look=(HOLD,)), NOW + 1e9)
    assert ahead.paused_why is Why.INCONCLUSIVE


def test_what_nobody_led_for_more_than_a_minute_and_a_clock_that_jumped_are_gaps() -> None:
    assert gap_seconds(None, NOW) == 0
    assert [gap_seconds(NOW, NOW + elapsed) for elapsed in (0, 60, -60)] == [0, 0, 0]
    assert [gap_seconds(NOW, NOW + elapsed) for elapsed in (61, 86_400, -61)] == [61, 86_400, -61]


def test_a_gap_counts_for_no_deadline_and_a_clock_that_was_set_back_begins_it_anew() -> None:
    assert put_off(NOW - 100, 86_400, NOW + 86_400) == NOW + 86_300
    assert put_off(NOW, 86_400, NOW + 10) == NOW + 10, "never in the future"
    assert put_off(NOW - 100, -86_400, NOW - 86_400) == NOW - 86_400
    assert put_off(NOW - 90_000, -86_400, NOW - 86_400) == NOW - 90_000


OPINIONS = st.sampled_from(Opinion)
SEEN = st.builds(
    Seen,
    is_served=st.booleans(),
    settled=st.integers(0, 20),
    fail_rate=OPINIONS,
    frames=st.integers(0, 200),
    still_new=st.integers(0, 3),
    look=st.none() | st.tuples(OPINIONS),
)


@given(st.floats(0, 2000), SEEN)
def test_the_next_stage_is_never_skipped(elapsed: float, at_once: Seen) -> None:
    after = following(PLAN, in_stage(0), at_once, NOW + elapsed)
    assert after.stage <= 1
    assert after.state is not State.COMPLETE


class Rollouts(RuleBasedStateMachine):
    """A rollout under everything that can happen, with a clock that mostly goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.standing = begun(NOW)
        self.widest = 0

    @rule(seconds=st.floats(-5000, 200_000), what=SEEN)
    def time_passes(self, seconds: float, what: Seen) -> None:
        self.now += seconds
        is_due = is_look_due(PLAN, self.standing, self.now)
        self.standing = following(PLAN, self.standing, replace(what, look=what.look if is_due else None), self.now)

    @precondition(lambda self: self.standing.state.is_active)
    @rule(command=st.sampled_from([paused, rolled_back]))
    def an_operator_stops_it(self, command: Any) -> None:
        if self.standing.state is not State.ROLLING_BACK:
            self.standing = command(self.standing, self.now)

    @precondition(lambda self: self.standing.state is State.PAUSED)
    @rule()
    def an_operator_resumes_it(self) -> None:
        self.standing = resumed(PLAN, self.standing, None, self.now)

    @invariant()
    def it_exposes_devices_only_on_its_way(self) -> None:
        is_back = self.standing.state in {State.ROLLING_BACK, State.ROLLED_BACK, State.ABORTED, State.SUPERSEDED}
        assert not (is_back and reaches(PLAN, self.standing))
        assert all(isinstance(reach, Reach) for reach in reaches(PLAN, self.standing))

    @invariant()
    def its_looks_are_bounded(self) -> None:
        assert self.standing.looks <= SMALL.looks

    @invariant()
    def it_ends_when_nobody_does_anything(self) -> None:
        standing, now = self.standing, self.now
        for _ in range(12):
            now += 10 * 86_400
            standing = following(PLAN, standing, NOTHING, now)
        assert not standing.state.is_active


TestRollouts = Rollouts.TestCase
