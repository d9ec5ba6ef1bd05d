"""What each kind of gate takes from the counts."""

import math

import numpy as np
import pytest

from cloud_server.rollout.evidence import evidence
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.means import Mean, Sample
from tests.cloud_server.rollout.fleets import EXPECTED, arm, counts, pairs


@pytest.mark.parametrize(
    ("kind", "new", "old", "counted"),
    [
        (GateKind.BYTES, 200.0, 150.0, 300),
        (GateKind.FALLBACK, 0.04, 0.0, 300),
        (GateKind.REFUSALS, 0.2, 0.0, 300),
        (GateKind.ENCODE_TIME, 0.05, 0.02, 300),
        (GateKind.ACCURACY, 0.25, 0.1, 60),
    ],
)
def test_both_arms_say_the_same_of_every_device(kind: GateKind, new: float, old: float, counted: int) -> None:
    changed = arm(3, bytes=20_000, fallback=4, refused=25, correct=15, encode_seconds=0.05)
    found = evidence(kind, counts(3, new=changed), None)
    assert isinstance(found.old, Sample)
    assert found.new.values.tolist() == pytest.approx([new] * 3)
    assert found.old.values.tolist() == pytest.approx([old] * 3)
    assert (found.devices, found.old_devices, found.counted) == (3, 3, counted)


def test_a_device_counts_only_where_it_says_something() -> None:
    silent = {"frames": [0, 100], "bytes": [0, 15_000], "labelled": 0, "correct": 0}
    found = counts(2, new=arm(2, **silent, encode_seconds=[np.nan, 0.03]))
    for kind, devices in (
        (GateKind.BYTES, 1),
        (GateKind.FALLBACK, 1),
        (GateKind.REFUSALS, 1),
        (GateKind.ENCODE_TIME, 1),
        (GateKind.ACCURACY, 0),
    ):
        assert evidence(kind, found, None).devices == devices
        assert evidence(kind, found, None).old_devices == 2


def test_who_is_refused_always_is_heard_too() -> None:
    found = evidence(GateKind.REFUSALS, counts(1, new=arm(1, frames=0, bytes=0, refused=7)), None)
    assert found.new.values.tolist() == [1.0]


def test_probes_are_beside_what_the_trainer_measured_of_so_many_pictures() -> None:
    found = evidence(GateKind.PROBES, counts(3, both=pairs(3, differing=5)), EXPECTED)
    assert found.new.values.tolist() == pytest.approx([0.2] * 3)
    share = (EXPECTED.share * EXPECTED.n + 1) / (EXPECTED.n + 2)
    assert isinstance(found.old, Mean)
    assert (found.old.value, found.old.freedom) == (EXPECTED.share, math.inf)
    assert found.old.variance == pytest.approx(share * (1 - share) / EXPECTED.n)
    assert (found.old_devices, found.counted) == (0, 75)


def test_without_a_measured_disagreement_probes_have_nothing_to_be_beside() -> None:
    assert evidence(GateKind.PROBES, counts(3), None).old is None


def test_labelled_pairs_are_won_and_lost() -> None:
    found = evidence(
        GateKind.LABELLED_PAIRS, counts(2, both=pairs(2, only_old_right=[3, 0], only_new_right=[1, 4])), None
    )
    assert found.new.values.tolist() == pytest.approx([0.1, -0.2])
    assert (found.new.least, found.new.most) == (-1, 1)
    assert found.old == Mean(value=0.0, variance=0.0, freedom=math.inf)
    assert found.counted == 40
