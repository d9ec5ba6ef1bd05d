"""Why a frame was kept, in words."""

from cloud_server.console.kept_for import REASONS, why_kept
from cloud_server.feedback.reasons import Reason


def test_every_reason_has_words_and_what_is_no_reason_stays_as_it_is() -> None:
    assert REASONS.keys() == set(Reason)
    assert why_kept("near_threshold") == "low confidence"
    assert why_kept(None) == ""
    assert why_kept("of_another_version") == "of_another_version"
