"""A few thousand damaged streams in every run; DCTWIRE_FUZZ_RUNS asks for more."""

import os

import pytest

from tests.fuzz.jpeg_mutations import mutated, sources
from tests.fuzz.jpeg_target import check

RUNS = int(os.environ.get("DCTWIRE_FUZZ_RUNS", "4000"))
PARTS = 8
CORPUS = sources()


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_streams_end_in_a_value_or_a_documented_error(part):
    decoded = sum(check(mutated(seed, CORPUS)) for seed in range(part, RUNS, PARTS))
    assert 0 < decoded < RUNS // PARTS


def test_the_undamaged_streams_are_read_but_for_two():
    assert [check(data) for data in CORPUS] == [True] * 10 + [False] * 2
