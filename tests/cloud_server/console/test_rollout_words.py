"""What a rollout's page says in words."""

import pytest

from cloud_server.console.rollout_words import happened, span
from cloud_server.operators.chain import Entry


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59.6, "1 min"),
        (3661, "1 h 1 min"),
        (86_400, "1 day"),
        (2 * 86_400 + 7200, "2 days 2 h"),
    ],
)
def test_a_time_is_told_in_its_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("action", "stage", "words"),
    [
        ("rollout.stage", 1, "stage 2"),
        ("rollout.pause", 1, "pause"),
        ("rollout.rolling-back", 1, "rolling back"),
    ],
)
def test_the_history_says_what_happened(action: str, stage: int, words: str) -> None:
    facts = {"rollout": "abcd2345", "stage": stage}
    entry = Entry(
        seq=1,
        at_ms=0,
        operator="ada",
        role="operator",
        address="",
        request_id="",
        action=action,
        subject="abcd2345",
        before=None,
        after=facts,
        previous="",
        hash="",
    )
    assert happened(entry) == words
