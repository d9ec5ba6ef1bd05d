"""A whole fleet in small: every part of the benchmark runs, and a good and a bad bundle come to their ends."""

import math
from pathlib import Path

import pytest

from benchmarks import fleet, fleet_report
from benchmarks.fleet_rollouts import plan_for

DEVICES = 120


@pytest.mark.system
def test_a_small_fleet_gets_the_good_bundle_and_not_the_bad_one(tmp_path: Path) -> None:
    run = fleet.on_one_server(fleet.quick(DEVICES))
    figures = run.figures
    assert all(math.isfinite(value) for value in figures.values())
    assert (figures | fleet.made_up(rollouts=2)).keys() >= {*fleet.BARS, *fleet.MUST_BE}
    assert figures["server_errors"] == 0
    assert run.good.ended == "complete"
    assert figures["confirmed_percent"] >= 90
    assert run.bad.ended == "rolled-back"
    assert run.bad.words.startswith("bytes a frame +")
    assert 0 < figures["bad_bundle_exposed_percent"] < 100
    fleet_report.draw(run.good, run.bad, tmp_path / "rollout.png")
    assert (tmp_path / "rollout.png").stat().st_size > 0
    assert fleet_report.sentence(figures).startswith(f"{DEVICES} cameras")


@pytest.mark.parametrize("devices", [60, 120, 1000, 10_000])
def test_a_plan_gets_wider_from_stages_with_devices_enough_for_their_gates_up_to_everybody(devices: int) -> None:
    stages = plan_for(devices, look_seconds=1).stages
    assert stages[-1].reaches_everybody
    assert all(devices * stage.percent / 100 >= 60 for stage in stages)
    assert len(stages) == {60: 1, 120: 2, 1000: 3, 10_000: 4}[devices]
