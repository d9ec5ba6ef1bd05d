"""What people read of a verdict, word by word."""

import numpy as np
import pytest

from cloud_server.rollout.counts import Arm, Counts
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate, judge
from cloud_server.rollout.verdict_words import look_words
from tests.cloud_server.rollout.fleets import ALPHA, arm, counts, pairs, verdict

N = 1200
NEAR = np.arange(N) % 10


def words(kind: GateKind, of: Counts, **gate: float) -> str:
    return verdict(kind, of, **gate).words


@pytest.mark.parametrize(
    ("kind", "new", "said"),
    [
        (GateKind.BYTES, {"bytes": 19_650}, "bytes a frame +31 % (limit +5 %), 1,200 devices"),
        (GateKind.BYTES, {"bytes": 12_000}, "bytes a frame -20 % (limit +5 %), 1,200 devices"),
        (GateKind.BYTES, {}, "bytes a frame 0 % (limit +5 %), 1,200 devices"),
        (GateKind.FALLBACK, {"fallback": 30}, "share of fallback frames +30 points (limit +1 point), 1,200 devices"),
        (GateKind.REFUSALS, {"refused": 25}, "share of refused frames +20 points (limit +1 point), 1,200 devices"),
        (GateKind.ENCODE_TIME, {"encode_seconds": 0.07}, "encode time +250 % (limit +50 %), 1,200 devices"),
        (
            GateKind.ACCURACY,
            {"correct": 15},
            "accuracy -15 points (limit -2 points), 24,000 labels of 1,200 devices",
        ),
    ],
)
def test_a_verdict_says_how_much_of_what_beside_its_limit_of_how_many_and_when(
    kind: GateKind, new: dict[str, object], said: str
) -> None:
    assert words(kind, counts(N, new=arm(N, **new))) == f"{said}, third look of five"


def test_a_verdict_on_pairs_counts_pairs() -> None:
    probes = words(GateKind.PROBES, counts(N, both=pairs(N, differing=10)))
    assert probes == (
        "disagreement beyond what the trainer measured +32 points (limit +3 points), 30,000 pairs of 1,200 devices, "
        "third look of five"
    )
    labelled = words(GateKind.LABELLED_PAIRS, counts(N, both=pairs(N, only_old_right=5)))
    assert labelled == (
        "accuracy on pairs -20 points (limit -2 points), 24,000 labelled pairs of 1,200 devices, third look of five"
    )


def test_a_gate_that_waits_says_for_what() -> None:
    assert words(GateKind.BYTES, counts(8, new=arm(8, bytes=15_150))) == (
        "bytes a frame +1 % (limit +5 %), 8 devices, third look of five; +20 % cannot be ruled out yet"
    )
    assert words(GateKind.ACCURACY, counts(8)) == (
        "accuracy 0 points (limit -2 points), 160 labels of 8 devices, third look of five; "
        "-11 points cannot be ruled out yet"
    )


def test_what_is_above_the_limit_by_chance_perhaps_is_told_so_however_near_it_is() -> None:
    wide = arm(N, bytes=15_000 + 1500 * NEAR)
    near = counts(N, old=wide, new=arm(N, bytes=wide.bytes * 1052 // 1000))
    assert words(GateKind.BYTES, near) == (
        "bytes a frame +5.2 % (limit +5 %), 1,200 devices, third look of five; not surely above the limit"
    )
    nearer = counts(N, old=wide, new=arm(N, bytes=wide.bytes * 10502 // 10000))
    assert words(GateKind.BYTES, nearer).startswith("bytes a frame +5.02 % (limit +5 %)")


def test_what_is_within_reach_of_rounding_is_told_as_the_limit() -> None:
    exact = arm(N, bytes=10_000_000), arm(N, bytes=10_500_000)
    assert words(GateKind.BYTES, counts(N, old=exact[0], new=exact[1])).startswith("bytes a frame +5 % (limit +5 %)")


NOBODY = {"frames": 0, "bytes": 0, "labelled": 0, "correct": 0, "encode_seconds": np.nan}


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        (arm(3, **NOBODY), arm(3), "nothing of it was counted under the new bundle"),
        (arm(3), arm(3, **NOBODY), "nothing of it was counted under the old bundle to compare with"),
        (arm(3), arm(3, bytes=0), "it was 0 under the old bundle, so that nothing can be compared with it"),
        (arm(1), arm(1), "too few devices to judge by"),
    ],
)
def test_a_gate_with_nothing_to_judge_by_says_what_is_missing(new: Arm, old: Arm, reason: str) -> None:
    devices = new.frames.size
    found = verdict(GateKind.BYTES, counts(devices, old=old, new=new))
    told = f"{found.devices:,} {'device' if found.devices == 1 else 'devices'}"
    assert found.words == f"bytes a frame unknown (limit +5 %), {told}, third look of five; {reason}"
    assert (found.estimate, found.lower, found.upper) == (None, None, None)


def test_without_a_measured_disagreement_probes_say_so() -> None:
    gate = Gate(kind=GateKind.PROBES)
    found = judge(gate, counts(1), alpha=ALPHA, look=1, looks=1, expected_disagreement=None)
    assert found.words == (
        "disagreement beyond what the trainer measured unknown (limit +3 points), 25 pairs of 1 device, first look of "
        "one; the new bundle's trainer measured no disagreement with the old one to compare with"
    )


@pytest.mark.parametrize(
    ("look", "looks", "said"),
    [
        (1, 1, "first look of one"),
        (12, 12, "twelfth look of twelve"),
        (13, 20, "13th look of 20"),
        (21, 40, "21st look of 40"),
        (22, 40, "22nd look of 40"),
        (33, 40, "33rd look of 40"),
        (111, 200, "111th look of 200"),
    ],
)
def test_looks_are_counted_in_words_up_to_twelve(look: int, looks: int, said: str) -> None:
    assert look_words(look, looks) == said
