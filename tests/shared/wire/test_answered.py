"""DW-Answered: exact round trips, and None for every other text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire import BATCH_MAX_FRAMES, SEQUENCE_MAX, Answered, Match

device_ids = st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True)
sequences = st.integers(0, SEQUENCE_MAX)
counts = st.dictionaries(st.sampled_from([match.value for match in Match]), st.integers(1, 64))


@given(device_ids, sequences, st.sampled_from(Match))
def test_the_answer_to_a_frame_comes_back_as_it_was(device_id: str, sequence: int, match: Match) -> None:
    answered = Answered.frame(device_id, sequence, match.value)
    assert Answered.parse(str(answered)) == answered
    assert answered.frames == {match: 1}


@given(device_ids, sequences)
def test_the_answer_to_a_label_answers_no_frame(device_id: str, sequence: int) -> None:
    answered = Answered.parse(str(Answered(device_id, sequence)))
    assert answered == Answered(device_id, sequence)
    assert answered is not None and not answered.frames


@given(device_ids, sequences)
def test_a_refusal_comes_back_as_it_was_and_answers_no_frame(device_id: str, sequence: int) -> None:
    refusal = Answered.parse(str(Answered.refusal(device_id, sequence)))
    assert refusal == Answered.refusal(device_id, sequence)
    assert refusal is not None and refusal.is_refusal and not refusal.frames
    assert "refused" not in list(Match)


@given(device_ids, st.lists(sequences, min_size=2, max_size=2).map(sorted), counts)
def test_the_answer_to_a_batch_comes_back_as_it_was(device_id: str, ends: list[int], frames: dict[str, int]) -> None:
    answered = Answered(device_id, ends[0], ends[1], frames)
    assert Answered.parse(str(answered)) == answered


@given(st.text(max_size=300) | st.from_regex(r"[a-z0-9.= \-]*", fullmatch=True))
def test_any_text_ends_in_what_it_says_or_in_none(text: str) -> None:
    answered = Answered.parse(text)
    assert answered is None or str(answered) == text


def test_the_format_does_not_change() -> None:
    assert str(Answered.frame("2cvxpk4z", 17, Match.EXACT)) == "2cvxpk4z.17 exact"
    assert str(Answered("2cvxpk4z", 17)) == "2cvxpk4z.17"
    assert str(Answered.refusal("2cvxpk4z", 17)) == "2cvxpk4z.17 refused"
    batch = Answered("2cvxpk4z", 17, 80, {Match.EXACT: 61, Match.FALLBACK: 2})
    assert str(batch) == "2cvxpk4z.17-80 exact=61 fallback=2"


def test_a_match_that_a_newer_server_may_have_is_an_answer_all_the_same() -> None:
    assert Answered.parse("2cvxpk4z.17 half-exact") == Answered.frame("2cvxpk4z", 17, "half-exact")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2cvxpk4z.",
        "2cvxpk4z.17 ",
        "2cvxpk4z.17 exact ",
        "2cvxpk4z.17 exact=1",
        "2cvxpk4z.017 exact",
        "2cvxpk4z.17 EXACT",
        "2CVXPK4Z.17 exact",
        "2cvxpk4z.9-8 exact=2",
        "2cvxpk4z.1-8 exact",
        "2cvxpk4z.1-8 exact=0",
        "2cvxpk4z.1-8 exact=1 exact=1",
        f"2cvxpk4z.1-8000 exact={BATCH_MAX_FRAMES + 1}",
        f"2cvxpk4z.{SEQUENCE_MAX + 1} exact",
        "2cvxpk4z.\u0661 exact",
        "2cvxpk4z.17 exact\n",
    ],
)
def test_what_is_almost_an_answer_is_none(text: str) -> None:
    assert Answered.parse(text) is None
