"""A few thousand damaged streams in every run; DCTWIRE_FUZZ_RUNS asks for more."""

import os
from random import Random

import pytest

from tests.fuzz.jpeg_mutations import Corpus, pieces_of
from tests.fuzz.jpeg_sources import sources
from tests.fuzz.jpeg_target import check

RUNS = int(os.environ.get("DCTWIRE_FUZZ_RUNS", "4000"))
SHARES = 8
CORPUS = Corpus(sources())


@pytest.mark.parametrize("share", range(SHARES))
def test_damaged_streams_end_in_a_value_or_a_documented_error(share: int) -> None:
    decoded = sum(check(CORPUS.mutated(Random(seed))) for seed in range(share, RUNS, SHARES))
    assert 0 < decoded < RUNS // SHARES


def test_the_undamaged_streams_are_read_but_for_the_last_three() -> None:
    read = [check(data) for data in CORPUS.streams]
    assert read == [True] * (len(read) - 3) + [False] * 3


def test_the_pieces_of_a_stream_joined_are_the_stream() -> None:
    assert [b"".join(pieces_of(data)) for data in CORPUS.streams] == CORPUS.streams


def test_a_seed_stands_for_one_stream() -> None:
    assert CORPUS.mutated(Random(7)) == CORPUS.mutated(Random(7)) != CORPUS.mutated(Random(8))
