"""Which bundle may follow which. Pure."""

from collections.abc import Mapping
from typing import Any, ClassVar

from shared.bundle import Bundle
from shared.errors import PeerError


class OfferError(PeerError):
    """A genuine bundle that this device must not run: it is for others, or too old."""

    code: ClassVar[str] = "offer-refused"


def may_replace(floor_counter: int, offered: Bundle) -> bool:
    """Whether `offered` is new enough.

    Not "newer than the active one": an operator takes a bad version back by assigning the one before. What must
    never come back is a version below the highest `min_counter` that verified metadata named or this device has run.
    """
    return offered.counter >= floor_counter


def floor_after(floor_counter: int, min_counter: int) -> int:
    """The floor once something verified has named `min_counter`; it only rises."""
    return max(floor_counter, min_counter)


def check_offer(
    offered: Bundle, *, target_path: str, custom: Mapping[str, Any], family: str, floor_counter: int
) -> None:
    """Check that a verified bundle is one for this device to run.

    Args:
        target_path: where TUF listed it.
        custom: what the signed entry says beside the bundle's hash.
        family: the device's, from its enrolment.
        floor_counter: see `may_replace`.

    Raises:
        OfferError: says what does not fit.
    """
    if offered.family != family:
        raise OfferError(f"{offered.name} is of another family than this device's, {family}")
    if offered.target_path != target_path:
        raise OfferError(f"{offered.name} was signed as {target_path}")
    promised = offered.target_custom
    told = {key: custom.get(key) for key in promised}
    if told != promised:
        raise OfferError(f"{offered.name} says {promised}, its signed entry {told}")
    if not may_replace(floor_counter, offered):
        raise OfferError(f"{offered.name} is older than {floor_counter}, the oldest that is still safe")
