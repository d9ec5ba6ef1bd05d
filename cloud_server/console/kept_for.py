"""Why a frame was kept, in words: the same on every page."""

from collections.abc import Mapping

from cloud_server.feedback.reasons import Reason

REASONS: Mapping[Reason, str] = {
    Reason.RANDOM: "random audit",
    Reason.NEAR_THRESHOLD: "low confidence",
    Reason.RARE_CLASS: "rare class",
    Reason.DISAGREEMENT: "contradicted by a label",
    Reason.DETAIL: "detail of a frame",
}
"""Each reason in a word or three."""


def why_kept(reason: str | None) -> str:
    """Why a frame was kept, as it is stored; empty of one that was not, and as it is where nobody here knows it."""
    return next((words for known, words in REASONS.items() if known == reason), reason or "")
