"""Gates: what they say by hand, what never changes their mind, and how seldom they err."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import binom

from benchmarks.gate_errors import counts_of, wrongly_failed, wrongly_failed_by_lies
from benchmarks.rollout_fleet import Change
from cloud_server.rollout.counts import Arm, Counts
from cloud_server.rollout.gate_kinds import FACTS, GateKind
from cloud_server.rollout.gates import ALPHA, Gate, Opinion, Verdict, alpha_a_look, fail_rate
from cloud_server.rollout.means import LYING
from tests.cloud_server.rollout.fleets import arm, counts, joined, pairs, rows, times, verdict

KINDS = st.sampled_from(GateKind)
CHANGES = st.builds(
    Change,
    bytes_factor=st.sampled_from([0.8, 1.0, 1.3, 2.0]),
    encode_factor=st.sampled_from([1.0, 1.6, 4.0]),
    fallback=st.sampled_from([0.0, 0.02, 0.5]),
    refused=st.sampled_from([0.0, 0.02, 0.5]),
    wrong=st.sampled_from([0.0, 0.05, 0.5]),
    differing=st.sampled_from([0.0, 0.05, 0.5]),
    hits_whole_devices=st.booleans(),
)
FIELD = st.builds(
    lambda seed, old, new, change: counts_of(np.random.default_rng(seed), old, new, change, frames=400),
    seed=st.integers(0, 10**6),
    old=st.integers(0, 90),
    new=st.integers(0, 90),
    change=CHANGES,
)
BAD: dict[GateKind, dict[str, object]] = {
    GateKind.BYTES: {"bytes": 19_500},
    GateKind.FALLBACK: {"fallback": 12},
    GateKind.REFUSALS: {"refused": 12},
    GateKind.ENCODE_TIME: {"encode_seconds": 0.06},
    GateKind.ACCURACY: {"correct": 14},
}
BAD_PAIRS: dict[GateKind, dict[str, object]] = {
    GateKind.PROBES: {"differing": 9},
    GateKind.LABELLED_PAIRS: {"only_old_right": 6},
}


def bad(kind: GateKind, devices: int) -> Counts:
    """A new bundle that every device does much worse with, as this kind of gate sees it."""
    return counts(devices, new=arm(devices, **BAD.get(kind, {})), both=pairs(devices, **BAD_PAIRS.get(kind, {})))


def without_numbers(found: Verdict) -> tuple[object, ...]:
    return found.opinion, found.devices, found.old_devices


@pytest.mark.parametrize("kind", GateKind)
def test_a_bundle_that_is_no_worse_passes_and_one_that_is_much_worse_fails(kind: GateKind) -> None:
    assert verdict(kind, counts(200)).opinion is Opinion.PASS
    assert verdict(kind, bad(kind, 200)).opinion is Opinion.FAIL


@pytest.mark.parametrize("kind", GateKind)
def test_no_gate_says_anything_of_a_handful_of_devices(kind: GateKind) -> None:
    for devices in (0, 1, 2, 3, 5):
        assert verdict(kind, counts(devices)).opinion is Opinion.HOLD
        assert verdict(kind, bad(kind, devices)).opinion is Opinion.HOLD


def test_a_harm_above_the_limit_and_below_what_is_detected_neither_fails_nor_passes_while_it_is_unsure() -> None:
    unlike = 15_000 + 1500 * (np.arange(60) % 10)
    found = verdict(GateKind.BYTES, counts(60, old=arm(60, bytes=unlike), new=arm(60, bytes=unlike * 118 // 100)))
    assert found.opinion is Opinion.HOLD
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.limit < found.detects <= found.upper


def test_a_harm_that_seems_above_the_limit_does_not_pass_because_a_larger_one_is_ruled_out() -> None:
    unlike = 15_000 + 1500 * (np.arange(60) % 10)
    found = verdict(
        GateKind.BYTES, counts(60, old=arm(60, bytes=unlike), new=arm(60, bytes=unlike * 125 // 100)), detects=0.9
    )
    assert found.opinion is Opinion.HOLD
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.limit
    assert found.upper < found.detects
    assert found.words.endswith("; not surely above the limit")


def test_a_harm_that_is_surely_above_the_limit_fails_though_it_need_not_have_been_detected() -> None:
    found = verdict(GateKind.BYTES, counts(5000, new=arm(5000, bytes=16_200)), limit=0.05, detects=0.5)
    assert found.opinion is Opinion.FAIL


def test_a_bundle_without_one_before_it_is_not_judged() -> None:
    nothing = arm(200, frames=0, bytes=0, labelled=0, correct=0, encode_seconds=np.nan)
    for kind in (GateKind.BYTES, GateKind.FALLBACK, GateKind.REFUSALS, GateKind.ENCODE_TIME, GateKind.ACCURACY):
        assert verdict(kind, counts(200, old=nothing)).opinion is Opinion.HOLD


def test_a_verdict_keeps_its_numbers_through_json() -> None:
    found = verdict(GateKind.ACCURACY, bad(GateKind.ACCURACY, 200))
    told = json.loads(found.model_dump_json())
    assert told["gate"] == "accuracy"
    assert told["opinion"] == "fail"
    assert told["estimate"] == pytest.approx(0.2)
    assert (told["limit"], told["detects"]) == (0.02, 0.11)
    assert (told["devices"], told["old_devices"], told["counted"]) == (200, 200, 4000)
    assert (told["look"], told["looks"]) == (3, 5)
    assert Verdict.model_validate_json(found.model_dump_json()) == found


def test_a_bound_that_there_is_not_is_null_in_json() -> None:
    found = verdict(GateKind.BYTES, counts(4))
    assert found.estimate == 0
    assert found.lower == -1
    assert found.upper is None


@pytest.mark.parametrize("kind", GateKind)
def test_a_gate_has_limits_of_its_own_and_takes_others(kind: GateKind) -> None:
    usual = Gate(kind=kind)
    assert (usual.limit, usual.detects) == (FACTS[kind].limit, FACTS[kind].detects)
    assert Gate.model_validate_json(usual.model_dump_json()) == usual
    assert Gate(kind=kind, detects=0.9).detects == 0.9


@pytest.mark.parametrize(
    "gate",
    [
        {},
        {"kind": "speed"},
        {"kind": "bytes", "limit": -0.1},
        {"kind": "bytes", "limit": 0.2, "detects": 0.2},
        {"kind": "bytes", "limit": math.nan},
        {"kind": "bytes", "detects": math.inf},
        {"kind": "bytes", "detects": 11},
        {"kind": "accuracy", "detects": 1.1},
        {"kind": "accuracy", "percent": 3},
    ],
)
def test_a_gate_that_means_nothing_is_refused(gate: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Gate.model_validate(gate)


@given(KINDS, FIELD, st.integers(0, 10**6), st.sampled_from([0.01, 1e-4]))
@settings(max_examples=150, deadline=None)
def test_more_harm_never_turns_fail_into_pass(kind: GateKind, before: Counts, seed: int, alpha: float) -> None:
    some = np.random.default_rng(seed).random(before.new.frames.size) < 0.3
    new, both = before.new, before.pairs
    worse = Counts(
        old=before.old,
        new=replace(
            new,
            bytes=np.where(some, new.bytes * 3, new.bytes),
            fallback=np.where(some, new.frames, new.fallback),
            refused=np.where(some, new.refused + new.frames, new.refused),
            correct=np.where(some, 0, new.correct),
            encode_seconds=np.where(some, new.encode_seconds * 3, new.encode_seconds),
        ),
        pairs=replace(
            both,
            differing=np.where(some, both.pairs, both.differing),
            only_old_right=np.where(some, both.labelled - both.only_new_right, both.only_old_right),
        ),
    )
    was, now = (verdict(kind, each, alpha=alpha).opinion for each in (before, worse))
    assert (was, now) != (Opinion.FAIL, Opinion.PASS)


@given(KINDS, FIELD, st.integers(2, 1000))
@settings(max_examples=100, deadline=None)
def test_who_sends_so_many_times_as_much_is_judged_the_same(kind: GateKind, before: Counts, factor: int) -> None:
    was, now = verdict(kind, before), verdict(kind, times(before, factor))
    assert without_numbers(now) == without_numbers(was)
    assert now.lower == (None if was.lower is None else pytest.approx(was.lower, abs=1e-9))


@given(KINDS, FIELD, st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_it_does_not_matter_in_which_order_devices_come(kind: GateKind, before: Counts, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(before.new.frames.size)
    was, now = verdict(kind, before), verdict(kind, rows(before, order))
    assert without_numbers(now) == without_numbers(was)
    assert now.upper == (None if was.upper is None else pytest.approx(was.upper, abs=1e-9))


def said_by_anybody() -> st.SearchStrategy[Counts]:
    """One device, whatever it says."""
    many = st.sampled_from([0, 1, 100, 10**4, 10**9])

    def one(sent: list[int], seconds: float, shares: list[bool]) -> Counts:
        arms: list[Arm] = []
        for frames, labels, is_bad in zip(sent[:2], sent[2:4], shares, strict=True):
            part = {"fallback": frames * is_bad, "refused": sent[4] * is_bad, "correct": labels * (not is_bad)}
            arms.append(arm(1, frames=frames, bytes=sent[5], labelled=labels, **part, encode_seconds=seconds))
        labelled = min(sent[2], sent[4])
        won = {"only_old_right": labelled * shares[1], "only_new_right": labelled * (not shares[1])}
        both = pairs(1, pairs=sent[4], differing=sent[4] * shares[1], labelled=labelled, **won)
        return Counts(old=arms[0], new=arms[1], pairs=both)

    return st.builds(
        one,
        st.lists(many, min_size=6, max_size=6),
        st.sampled_from([0.0, 1e-6, 0.02, 1e6, math.nan]),
        st.lists(st.booleans(), min_size=2, max_size=2),
    )


@given(
    KINDS,
    st.integers(0, 10**6),
    CHANGES,
    said_by_anybody(),
)
@settings(max_examples=300, deadline=None)
def test_one_device_never_turns_the_opinion_of_fifty_round(
    kind: GateKind, seed: int, change: Change, one: Counts
) -> None:
    fifty = counts_of(np.random.default_rng(seed), 50, 50, change, frames=400)
    without, together = (verdict(kind, each).opinion for each in (fifty, joined(fifty, one)))
    assert {without, together} != {Opinion.PASS, Opinion.FAIL}


@pytest.mark.parametrize(("devices", "trials"), [(5, 60), (20, 60), (100, 60), (1000, 30)])
@pytest.mark.parametrize("whole_devices", [False, True])
def test_a_bundle_as_bad_as_the_limit_is_failed_no_more_often_than_was_allowed(
    devices: int, trials: int, whole_devices: bool
) -> None:
    rng, alpha = np.random.default_rng([devices, whole_devices]), 0.05
    for kind in GateKind:
        share = wrongly_failed(rng, kind, devices, trials, alpha, whole_devices=whole_devices)
        assert share <= alpha, kind


@pytest.mark.parametrize("devices", [100, 1000])
def test_two_percent_that_lie_fail_no_good_bundle(devices: int) -> None:
    rng = np.random.default_rng(devices)
    for kind in GateKind:
        assert wrongly_failed_by_lies(rng, kind, devices, 20, lying=0.02, alpha=1e-4) == 0, kind


def test_all_looks_of_all_gates_share_what_a_rollout_may_err() -> None:
    assert alpha_a_look(140) * 140 == pytest.approx(ALPHA)
    assert alpha_a_look(0) == ALPHA


@pytest.mark.parametrize(
    ("failed", "settled", "opinion"),
    [
        (0, 0, Opinion.HOLD),
        (0, 19, Opinion.HOLD),
        (0, 20, Opinion.PASS),
        (5, 100, Opinion.PASS),
        (6, 100, Opinion.HOLD),
        (8, 8, Opinion.HOLD),
        (9, 9, Opinion.FAIL),
        (20, 100, Opinion.HOLD),
        (21, 100, Opinion.FAIL),
    ],
)
def test_outcomes_of_100_exposed_devices_fail_a_bundle_without_the_seven_that_may_lie(
    failed: int, settled: int, opinion: Opinion
) -> None:
    assert fail_rate(failed, settled, exposed=100, limit=0.05, min_devices=20) is opinion


def test_a_handful_of_devices_is_stopped_when_all_of_them_have_failed() -> None:
    for exposed in (1, 2, 3):
        said = [fail_rate(failed, failed, exposed=exposed, limit=0.05, min_devices=1) for failed in range(exposed + 1)]
        assert said == [Opinion.HOLD] * exposed + [Opinion.FAIL]


def test_where_none_may_fail_the_first_failure_stops_it() -> None:
    assert fail_rate(1, 1, exposed=1000, limit=0, min_devices=1) is Opinion.FAIL
    assert fail_rate(0, 1000, exposed=1000, limit=0, min_devices=1) is Opinion.PASS


@pytest.mark.parametrize("exposed", [10, 100, 500, 2500, 10_000])
@pytest.mark.parametrize("limit", [0.05, 0.08])
def test_liars_that_tell_before_all_others_stop_fewer_than_one_stage_in_1000_and_a_crash_of_most_does(
    exposed: int, limit: float
) -> None:
    def opinion(failed: int, settled: int) -> Opinion:
        return fail_rate(failed, settled, exposed=exposed, limit=limit, min_devices=1)

    fewest = next((some for some in range(1, exposed + 1) if opinion(some, some) is Opinion.FAIL), exposed + 1)
    assert binom.sf(fewest - 1, exposed, LYING) < 0.001
    assert opinion(round(0.6 * exposed), exposed) is Opinion.FAIL
