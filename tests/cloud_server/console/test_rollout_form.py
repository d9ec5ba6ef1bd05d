"""The form that starts a rollout: the plan that follows from it, and what it says where a field is wrong."""

from datetime import UTC, datetime

import pytest

from cloud_server.console.rollout_form import StartForm, with_bundle
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.plan import OnFail, standard
from shared.errors import PeerError

BY_HAND = StartForm(
    bundle="digits/2",
    shape="simple",
    percents="5, 25 % 100",
    min_devices="3",
    min_frames="50",
    soak_hours="0.5",
    deadline_hours="12",
    gates=("bytes", "accuracy"),
    on_fail="pause",
)
TOML = """
soak_seconds = 60
[[stages]]
percent = 100
tags = ["site=lab"]
[[stages]]
percent = 100
"""


def form(**changes: object) -> StartForm:
    """The form as it was filled in by hand, but for some fields."""
    return StartForm(**{name: getattr(BY_HAND, name) for name in BY_HAND.__slots__} | changes)


def test_the_standard_plan_is_the_one_that_the_command_line_follows() -> None:
    assert form(shape="standard").plan() == standard()


def test_simple_fields_make_stages_that_are_alike_but_for_their_percent() -> None:
    plan = BY_HAND.plan()
    assert [stage.percent for stage in plan.stages] == [5, 25, 100]
    for stage in plan.stages:
        assert (stage.min_devices, stage.min_frames, stage.min_soak_seconds) == (3, 50, 1800)
        assert (stage.deadline_seconds, stage.on_fail) == (43_200, OnFail.PAUSE)
        assert [gate.kind for gate in stage.gates] == [GateKind.BYTES, GateKind.ACCURACY]


@pytest.mark.parametrize(
    "written", [TOML, '{"soak_seconds": 60, "stages": [{"percent": 100, "tags": ["site=lab"]}, {"percent": 100}]}']
)
def test_a_plan_is_taken_in_toml_and_as_json(written: str) -> None:
    plan = form(shape="written", written=written).plan()
    assert [(stage.percent, stage.tags) for stage in plan.stages] == [(100, ("site=lab",)), (100, ())]
    assert plan.soak_seconds == 60


def test_what_the_command_line_prints_is_taken_back() -> None:
    printed = standard().model_dump_json(indent=2, exclude_none=True)
    assert form(shape="written", written=printed).plan() == standard()


@pytest.mark.parametrize("starts", ["2026-11-30T06:00", "2026-11-30T07:00+01:00"])
def test_a_start_is_a_moment_in_utc_unless_it_says_otherwise(starts: str) -> None:
    expected = datetime(2026, 11, 30, 6, tzinfo=UTC).timestamp()
    assert form(starts=starts).plan().starts_at == expected
    assert form(shape="standard", starts=starts).plan().starts_at == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"percents": "5, 25"}, "the last stage has to reach everybody"),
        ({"percents": ""}, "stages"),
        ({"percents": "5, many, 100"}, "percents: write a number, not 'many'"),
        ({"percents": "nan, 100"}, "no plan"),
        ({"percents": "0, 100"}, r"stages\.1\.percent"),
        ({"min_devices": "x"}, "min devices"),
        ({"min_devices": "1.5"}, r"stages\.1\.min_devices"),
        ({"soak_hours": "24"}, "longer than the deadline"),
        ({"on_fail": "nothing"}, r"stages\.1\.on_fail"),
        ({"gates": ("bytes", "bytes")}, "two gates"),
        ({"gates": ("beauty",)}, r"gates\.1\.kind"),
        ({"shape": "other"}, "where the plan comes from"),
        ({"shape": "written", "written": " "}, "paste a plan"),
        ({"shape": "written", "written": "percent ="}, "no TOML"),
        ({"shape": "written", "written": "{"}, "no JSON"),
        ({"shape": "written", "written": "started = 2026-11-30"}, "no plan"),
        ({"shape": "written", "written": "stages = []\nspeed = 3"}, "stages"),
        ({"shape": "written", "written": "a." * 10_000 + "a = 1"}, "no plan"),
        ({"starts": "tomorrow"}, "start: write a date"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PeerError, match=said):
        form(**changes).plan()


def test_the_bundle_names_family_and_counter() -> None:
    assert form(bundle="street/lamps/12").family_and_counter == ("street/lamps", 12)
    for wrong in ("", "digits", "digits/", "/2", "digits/two", "digits/1234567890"):
        with pytest.raises(PeerError, match="choose the version"):
            form(bundle=wrong).family_and_counter  # noqa: B018 - it raises


def test_the_wanted_bundle_is_chosen_where_there_is_such_else_the_first() -> None:
    bundles = ["digits/2", "digits/1"]
    assert with_bundle(StartForm(), bundles, "digits/1").bundle == "digits/1"
    assert with_bundle(StartForm(), bundles, "birds/9").bundle == "digits/2"
    assert with_bundle(StartForm(), [], "").bundle == ""
