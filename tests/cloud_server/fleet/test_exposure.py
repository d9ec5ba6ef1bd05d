"""Whom a rollout reaches: the same devices whenever it is asked, evenly spread, for each rollout anew."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.fleet.exposure import Exposure, Reach, reaches_of, share_of, text_of
from shared.wire import Assignment

NEW = Assignment(seq=9, family="digits", counter=2, target="digits/2.json")
EVERYBODY = Reach(100, frozenset())
FLEET = [f"camera{number}" for number in range(10_000)]

tags = st.frozensets(st.sampled_from(["roof", "site=north", "site=south", "old"]))
reaches = st.builds(Reach, st.floats(0, 100), tags)
names = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=8, max_size=8)


def exposure(*reaches: Reach, rollout: str = "abcd2345") -> Exposure:
    return Exposure(rollout, "digits", NEW, reaches)


@pytest.mark.parametrize(
    ("rollout", "device", "share"),
    [
        ("abcd2345", "k3v9x2mq", 61.693047595447226),
        ("abcd2345", "k3v9x2mr", 74.11336185311868),
        ("zzzz7777", "k3v9x2mq", 50.196042973292165),
    ],
)
def test_a_share_never_changes(rollout: str, device: str, share: float) -> None:
    """A device that was exposed by an earlier version of this program is exposed by the next one."""
    assert share_of(rollout, device) == share


@given(names, names)
def test_a_share_is_a_percentage_below_100(rollout: str, device: str) -> None:
    assert 0 <= share_of(rollout, device) < 100
    assert exposure(EVERYBODY, rollout=rollout).includes(device, frozenset())


def test_shares_are_evenly_spread() -> None:
    """Chi-squared over a hundred bins of a hundred: 99 degrees of freedom, so 149 is passed once in a thousand."""
    bins = [0] * 100
    for name in FLEET:
        bins[int(share_of("abcd2345", name))] += 1
    assert sum((seen - 100) ** 2 / 100 for seen in bins) < 149


def test_each_rollout_begins_with_other_devices() -> None:
    """Of two rollouts' first tenths, a tenth is common: 100 of 10,000, give or take four standard deviations of 10."""
    first = {rollout: {name for name in FLEET if share_of(rollout, name) < 10} for rollout in ("abcd2345", "abcd2346")}
    assert abs(len(first["abcd2345"] & first["abcd2346"]) - 100) < 40


def test_a_reach_is_for_devices_with_all_its_tags() -> None:
    canaries = exposure(Reach(100, frozenset({"roof", "site=north"})))
    assert canaries.includes("k3v9x2mq", {"roof", "site=north", "old"})
    assert not canaries.includes("k3v9x2mq", {"roof"})
    assert not exposure().includes("k3v9x2mq", {"roof"})


@given(reaches, names, tags, st.floats(0, 100))
def test_more_percent_take_nobody_back(reach: Reach, device: str, has: frozenset[str], percent: float) -> None:
    wider = Reach(max(reach.percent, percent), reach.tags)
    assert exposure(reach).includes(device, has) <= exposure(wider).includes(device, has)


@given(st.lists(reaches), reaches, names, tags)
def test_a_further_stage_takes_nobody_back(
    before: list[Reach], following: Reach, device: str, has: frozenset[str]
) -> None:
    was, is_now = exposure(*before), exposure(*before, following)
    assert was.includes(device, has) <= is_now.includes(device, has)
    assert is_now.includes(device, has) == (was.includes(device, has) or exposure(following).includes(device, has))


def test_a_stage_of_so_many_percent_reaches_about_so_many() -> None:
    for percent, rollout in product((1, 5, 25), ("abcd2345", "zzzz7777")):
        reached = sum(exposure(Reach(percent, frozenset()), rollout=rollout).includes(name, set()) for name in FLEET)
        assert abs(reached - 100 * percent) < 4 * (100 * percent) ** 0.5


@given(st.lists(reaches))
def test_reaches_are_read_as_they_were_stored(stored: list[Reach]) -> None:
    assert reaches_of(text_of(stored)) == tuple(stored)
