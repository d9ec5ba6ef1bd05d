"""A rollout's page: what happens now, its steps, its cameras, what gates said, and what may be done to it."""

from dataclasses import replace

import pytest

from cloud_server.console.rollout_view import Line, RolloutView, command_of, viewed
from cloud_server.errors import ConflictError
from cloud_server.rollout.gate_kinds import FACTS, GateKind
from cloud_server.rollout.gates import Gate, Opinion, Verdict
from cloud_server.rollout.outcomes import Outcome, Tally
from cloud_server.rollout.plan import HOUR, Plan, Quiet, Stage
from cloud_server.rollout.standing import Standing, State, Why
from cloud_server.rollout.steering import Detail, Rollout
from cloud_server.storage.rows.rollout_counts import VerdictRow
from cloud_server.storage.rows.rollouts import RolloutRow

NOW = 1_800_000_000.0
GATES = (Gate(kind=GateKind.BYTES), Gate(kind=GateKind.FALLBACK))
PLAN = Plan(
    stages=(
        Stage(percent=10, tags=("site=lab",), min_devices=1),
        Stage(percent=25, min_devices=5, min_frames=500, min_soak_seconds=HOUR, gates=GATES, max_fail_rate=0.1),
        Stage(percent=100, min_devices=20),
    ),
    soak_seconds=2 * HOUR,
    pause_max_seconds=48 * HOUR,
)
NOBODY = Tally()
BEGUN = Standing(State.STAGE, NOW - 600, stage=1, stage_since=NOW - 600, looks=2)


def detail(
    standing: Standing, tally: Tally = NOBODY, *verdicts: VerdictRow, plan: Plan = PLAN, old: int | None = 1
) -> Detail:
    """A rollout of digits to v2 that stands so."""
    row = RolloutRow(
        id="abcd2345",
        family="digits",
        old_counter=old,
        old_seq=old and 7,
        counter=2,
        seq=8,
        plan=plan.model_dump_json(),
        reaches="[]",
        state="draft",
        stage=-1,
        paused_why=None,
        state_since=NOW,
        stage_since=NOW,
        looks=0,
        starts_at=None,
        version=3,
        created_at=NOW - HOUR,
        created_by="ada",
        ended_at=None,
        note=None,
        led_at=NOW,
    )
    return Detail(Rollout(Rollout(row, plan).at(standing, NOW), plan), tally, verdicts)


def view(standing: Standing, *more: object, **changes: object) -> RolloutView:
    """What its page shows now."""
    return viewed(detail(standing, *more, **changes), NOW)  # type: ignore[arg-type]


def verdict(gate: GateKind, opinion: Opinion, *, stage: int, look: int, at: float) -> VerdictRow:
    """What a gate said at a look."""
    said = Verdict(
        gate=gate,
        opinion=opinion,
        estimate=0.1,
        lower=0.0,
        upper=0.2,
        limit=0.05,
        detects=0.2,
        devices=9,
        old_devices=9,
        counted=900,
        look=look,
        looks=5,
        words=f"{FACTS[gate].subject} +1 % at look {look}",
    )
    return VerdictRow(stage, look, gate.value, at, opinion.value, said.model_dump_json())


def test_the_steps_tell_what_is_done_what_is_now_and_what_is_ahead() -> None:
    assert [(step.title, step.where) for step in view(BEGUN).steps] == [
        ("10 % of site=lab", "done"),
        ("25 %", "now"),
        ("100 %", "ahead"),
        ("soak", "ahead"),
    ]


@pytest.mark.parametrize("state", [State.ROLLING_BACK, State.ROLLED_BACK, State.ABORTED, State.SUPERSEDED])
def test_what_was_reached_is_taken_back_when_it_goes_back(state: State) -> None:
    seen = view(replace(BEGUN, state=state))
    assert [step.where for step in seen.steps] == ["back", "back", "ahead", "ahead"]
    assert seen.percent == 0


def test_a_complete_rollout_has_every_step_behind_it() -> None:
    seen = view(Standing(State.COMPLETE, NOW, stage=3))
    assert {step.where for step in seen.steps} == {"done"}
    assert (seen.percent, seen.line.kind, seen.line.stands) == (100, "good", "complete")


def test_a_step_says_what_it_asks_for() -> None:
    assert view(BEGUN).steps[1].about == (
        "5 settled cameras",
        "500 frames",
        "1 h at least",
        "at most 10 % failing",
        "gates: bytes a frame, share of fallback frames",
        "in 1 day at most",
    )
    assert view(BEGUN).steps[0].about == ("1 settled camera", "at most 5 % failing", "in 1 day at most")


def test_a_stage_says_for_how_long_it_goes_on_and_when_it_pauses() -> None:
    assert view(BEGUN).happens == (
        "25 % of the cameras are led to v2, for 10 min now. It lasts another 50 min at least.",
        "The gates have looked 2 of 5 times; next look in 14 h 14 min.",
        "Where it is not clear in 23 h 50 min whether it may go on, it pauses.",
    )


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing(State.DRAFT, NOW), "within seconds"),
        (Standing(State.PREFLIGHT, NOW), "no camera is led to it"),
        (Standing(State.SOAK, NOW, stage=3, stage_since=NOW - HOUR), "nothing fails for another 1 h"),
        (replace(BEGUN, state=State.PAUSED, paused_why=Why.GATE), "a gate failed"),
        (replace(BEGUN, state=State.PAUSED, paused_why=Why.OPERATOR, since=NOW - HOUR), "rolled back in 1 day 23 h"),
        (replace(BEGUN, state=State.ROLLING_BACK), "send v1 again"),
        (replace(BEGUN, state=State.ROLLED_BACK), "led back to v1"),
        (replace(BEGUN, state=State.ABORTED), "ended"),
        (replace(BEGUN, state=State.SUPERSEDED), "took its place"),
        (Standing(State.COMPLETE, NOW, stage=3), "v2 is what the family runs"),
        (replace(BEGUN, stage_since=NOW - 25 * HOUR), "overdue"),
    ],
)
def test_every_state_says_what_happens(standing: Standing, said: str) -> None:
    assert said in " ".join(view(standing).happens)


def test_a_draft_says_what_it_waits_for() -> None:
    late = PLAN.model_copy(update={"starts_at": NOW + 3 * HOUR})
    assert view(Standing(State.DRAFT, NOW), plan=late).happens == ("Nothing happens before its start, in 3 h.",)
    quiet = PLAN.model_copy(update={"quiet": (Quiet(begins="00:00", ends="23:59"),)})
    assert "quiet time" in view(Standing(State.DRAFT, NOW), plan=quiet).happens[0]


def test_cameras_have_their_share_of_the_settled_ones_with_an_interval() -> None:
    tally = Tally(confirmed=8, rolled_back=1, timed_out=1, pending=4, not_reached=6)
    seen = view(BEGUN, tally)
    by_outcome = {each.outcome: each for each in seen.cameras}
    assert (seen.reached, seen.settled) == (20, 10)
    confirmed = by_outcome[Outcome.CONFIRMED]
    assert confirmed.devices == 8 and confirmed.share is not None
    assert (confirmed.share.share, round(confirmed.share.low, 3), round(confirmed.share.high, 3)) == (0.8, 0.49, 0.943)
    assert by_outcome[Outcome.PENDING].share is None and by_outcome[Outcome.NOT_REACHED].share is None
    assert seen.failed is not None and seen.failed.share == 0.2


def test_nothing_is_said_of_shares_before_a_camera_is_settled() -> None:
    seen = view(BEGUN, Tally(pending=3))
    assert seen.failed is None
    assert {each.share for each in seen.cameras} == {None}


def test_where_no_gate_has_said_anything_it_is_told_why() -> None:
    begun = replace(BEGUN, looks=0)
    assert view(begun).without_verdict == "No gate has looked yet; next look in 4 h 38 min."
    assert view(replace(begun, stage=0)).without_verdict == "This stage has no gates; others of the plan have."
    assert view(Standing(State.DRAFT, NOW)).without_verdict == "No gate has looked yet."
    bare = Plan(stages=(Stage(percent=100),))
    assert "The plan has no gates" in view(replace(begun, stage=0), plan=bare).without_verdict


def test_gates_show_their_newest_word_of_the_newest_stage_first() -> None:
    old = verdict(GateKind.BYTES, Opinion.PASS, stage=0, look=1, at=NOW - 300)
    first = verdict(GateKind.BYTES, Opinion.HOLD, stage=1, look=1, at=NOW - 200)
    other = verdict(GateKind.FALLBACK, Opinion.PASS, stage=1, look=1, at=NOW - 200)
    second = verdict(GateKind.BYTES, Opinion.FAIL, stage=1, look=2, at=NOW - 100)
    seen = view(BEGUN, Tally(), old, first, other, second)
    assert [(said.subject, said.opinion, said.stage) for said in seen.newest] == [
        ("bytes a frame", "fails", 2),
        ("share of fallback frames", "passes", 2),
    ]
    assert [(said.words, said.stage) for said in seen.earlier] == [("+1 % at look 1", 2), ("+1 % at look 1", 1)]


@pytest.mark.parametrize(
    ("standing", "may"),
    [
        (Standing(State.DRAFT, NOW), ["pause", "rollback", "abort"]),
        (BEGUN, ["pause", "promote", "release", "rollback", "abort"]),
        (
            replace(BEGUN, state=State.PAUSED, paused_why=Why.GATE),
            ["resume", "promote", "release", "rollback", "abort"],
        ),
        (Standing(State.PAUSED, NOW, paused_why=Why.OPERATOR), ["resume", "rollback", "abort"]),
        (replace(BEGUN, state=State.ROLLING_BACK), ["abort"]),
        (replace(BEGUN, state=State.ROLLED_BACK), []),
        (Standing(State.COMPLETE, NOW, stage=3), []),
    ],
)
def test_only_what_the_state_allows_is_offered(standing: Standing, may: list[str]) -> None:
    assert [action.name for action in view(standing).actions] == may


def test_every_action_that_is_offered_can_be_done() -> None:
    for action in view(BEGUN).actions:
        command = command_of(action.name, stage=None)
        assert command is not None
        assert command(PLAN, BEGUN, NOW) != BEGUN
    assert command_of("delete", stage=None) is None


def test_a_rollout_may_resume_in_an_earlier_stage() -> None:
    standing = replace(BEGUN, state=State.PAUSED, paused_why=Why.GATE)
    assert view(standing).stages_before == (0, 1)
    command = command_of("resume", stage=0)
    assert command is not None and command(PLAN, standing, NOW).stage == 0
    with pytest.raises(ConflictError):
        late = command_of("resume", stage=2)
        assert late is not None and late(PLAN, standing, NOW)


def test_the_line_of_the_list_says_where_it_stands() -> None:
    assert Line.of(detail(BEGUN).rollout).stands == "stage 2 of 3, 25 %"
    assert Line.of(detail(replace(BEGUN, stage=0)).rollout).stands == "stage 1 of 3, 10 % of site=lab"
    paused = detail(replace(BEGUN, state=State.PAUSED, paused_why=Why.GATE), old=None)
    assert (Line.of(paused.rollout).stands, Line.of(paused.rollout).led) == ("paused in stage 2 of 3", "nothing → v2")
