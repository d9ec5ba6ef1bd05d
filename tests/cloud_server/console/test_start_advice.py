"""What the form that starts a rollout explains: each gate, and what a small family should not ask for."""

from cloud_server.console.start_advice import SHARES_DEVICES, gate_lines, small_families
from cloud_server.rollout.gate_kinds import GateKind


def test_each_gate_says_with_its_limit_what_makes_it_fail() -> None:
    about = {line.kind: line.about for line in gate_lines()}
    assert about.keys() == {kind.value for kind in GateKind}
    assert "costs 5 % more" in about["bytes"]
    assert "surely 1 point more of the frames are refused" in about["refusals"]
    assert "3 points more get two different answers" in about["probes"]


def test_a_family_too_small_for_gates_on_shares_is_told_its_size_and_what_to_untick() -> None:
    (said,) = small_families({"digits": 12, "letters": SHARES_DEVICES})
    assert said.startswith("digits has 12 devices")
    assert "share of refused frames" in said
    assert "bytes a frame" not in said
    assert small_families({"digits": 1})[0].startswith("digits has 1 device:")
