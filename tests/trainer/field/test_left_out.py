"""Causes for which frames are not learned from, in words."""

from trainer.field.left_out import Cause, told


def test_causes_are_told_with_their_counts_and_those_without_any_are_not_named() -> None:
    counts = {"held-out-by-time": 3, "twins": 18, "quota": 0}
    assert told(counts) == "18 twins of the frozen holdout, 3 held out by time"
    assert told({"damaged": 0}) == told({}) == "none"


def test_every_cause_has_words_of_its_own() -> None:
    assert len({told({cause: 1}) for cause in Cause}) == len(Cause)
    assert "none" not in {told({cause: 1}) for cause in Cause}
