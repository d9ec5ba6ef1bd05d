"""Plans: what an operator may write, and what is refused with which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cloud_server.rollout.plan import Plan, Quiet, Stage, at_once, standard

GATE = {"kind": "bytes"}
EVERYBODY = {"percent": 100}


def plan(*stages: dict[str, Any], **changes: Any) -> Plan:
    """A plan of these stages."""
    return Plan.model_validate({"stages": stages, **changes})


def test_a_plan_is_json_and_comes_back_as_it_was() -> None:
    written = plan(
        {"percent": 1, "tags": ["site=north"], "gates": [GATE], "on_fail": "pause"},
        EVERYBODY,
        starts_at=1_800_000_000,
        quiet=[{"begins": "22:00", "ends": "06:00"}],
    )
    assert Plan.model_validate_json(written.model_dump_json()) == written
    assert [stage.reaches_everybody for stage in written.stages] == [False, True]
    assert written.stages[0].reach.tags == {"site=north"}


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([], "at least 1 item"),
        ([{"percent": 50}], "last stage has to reach everybody"),
        ([{"percent": 100, "tags": ["roof"]}], "last stage has to reach everybody"),
        ([{"percent": 10}, {"percent": 5}, EVERYBODY], "a stage of 5 percent follows one of 10 percent"),
        ([{"percent": 10, "tags": ["roof"]}, {"percent": 5}, EVERYBODY], "a stage of 5 percent follows"),
        ([{"percent": 0}], "greater than 0"),
        ([{"percent": 100, "tags": ["no tag"]}], "pattern"),
        ([{"percent": 100, "min_soak_seconds": 10, "deadline_seconds": 5}], "longer than the deadline"),
        ([{"percent": 100, "gates": [GATE, GATE]}], "two gates bytes"),
        ([{"percent": 100, "gates": [GATE] * 100_000}], "at most 7 items"),
        ([{"percent": 100, "looks": 0}], "greater than or equal to 1"),
        ([{"percent": 100, "deadlines": 5}], "Extra inputs"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(stages: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan(*stages)


def test_a_stage_of_other_devices_may_be_smaller() -> None:
    assert len(plan({"percent": 50, "tags": ["roof"]}, {"percent": 10, "tags": ["yard"]}, EVERYBODY).stages) == 3
    assert len(plan({"percent": 5}, {"percent": 1, "tags": ["yard"]}, EVERYBODY).stages) == 3


@pytest.mark.parametrize(
    ("begins", "ends", "quiet", "loud"),
    [("08:00", "09:30", ["08:00", "09:29"], ["07:59", "09:30"]), ("22:00", "06:00", ["22:00", "05:59"], ["06:00"])],
)
def test_quiet_times_go_over_midnight(begins: str, ends: str, quiet: list[str], loud: list[str]) -> None:
    window = Quiet(begins=begins, ends=ends)
    assert all(window.holds(time) for time in quiet)
    assert not any(window.holds(time) for time in loud)


def test_a_quiet_time_without_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="never end"):
        Quiet(begins="06:00", ends="06:00")


def test_quiet_times_that_leave_no_minute_of_the_day_are_refused() -> None:
    halves = [{"begins": "00:00", "ends": "12:00"}, {"begins": "11:00", "ends": "00:00"}]
    with pytest.raises(ValidationError, match="leave no minute of the day"):
        plan(EVERYBODY, quiet=halves)
    halves[1]["ends"] = "23:59"
    assert len(plan(EVERYBODY, quiet=halves).quiet) == 2


@given(st.integers(0, 1439), st.integers(0, 1439), st.floats(0, 4e9))
def test_every_quiet_time_ends_within_a_day(begins: int, ends: int, now: float) -> None:
    if begins == ends:
        return
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in (begins, ends)]
    written = plan(EVERYBODY, quiet=[{"begins": times[0], "ends": times[1]}])
    assert not all(written.is_quiet(now + 60 * minute) for minute in range(1440))
    assert any(written.is_quiet(now + 60 * minute) for minute in range(1441))


def test_assigning_is_one_stage_of_everybody_that_asks_for_nothing() -> None:
    (stage,) = at_once().stages
    assert isinstance(stage, Stage)
    assert (stage.reaches_everybody, stage.gates, stage.min_devices, stage.min_frames) == (True, (), 0, 0)


def test_the_standard_plan_gets_wider_to_everybody_and_asks_for_labels_only_where_there_may_be_some() -> None:
    stages = standard().stages
    assert [stage.percent for stage in stages] == [1, 5, 25, 100]
    assert [any(gate.kind == "accuracy" for gate in stage.gates) for stage in stages] == [False, True, True, True]


def test_the_standard_plan_lets_each_stage_last_an_hour_and_everybody_run_it_for_a_day_before_it_is_released() -> None:
    usual = standard()
    assert {stage.min_soak_seconds for stage in usual.stages} == {3600}
    assert all(stage.gates and stage.min_devices > 1 and stage.min_frames > 0 for stage in usual.stages)
    assert usual.soak_seconds == 86_400


@pytest.mark.parametrize(("soak_seconds", "judgements"), [(0, 3 * 1 + 5 * 2), (60, 3 * 1 + 2 * 5 * 2)])
def test_gates_are_judged_at_every_look_and_in_the_soak_as_often_as_in_the_last_stage(
    soak_seconds: float, judgements: int
) -> None:
    two = [{"kind": "bytes"}, {"kind": "fallback"}]
    stages = ({"percent": 5, "looks": 3, "gates": [GATE]}, {**EVERYBODY, "looks": 5, "gates": two})
    assert plan(*stages, soak_seconds=soak_seconds).judgements == judgements
