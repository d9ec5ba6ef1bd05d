"""How much a frame matters. Pure."""

from collections.abc import Set as AbstractSet

from sensor_client.policies.changes import Reason
from sensor_client.spool import Priority


def priority_of(
    *, is_requested: bool, label: str | None, rare_labels: AbstractSet[str], reason: Reason | None
) -> Priority:
    """The priority of a frame: what somebody asked for, then what is rare, then what has changed, then all else.

    Args:
        label: what the picture shows, where the source knows.
        reason: why it is sent; None where every picture is.
    """
    if is_requested:
        return Priority.REQUESTED
    if label in rare_labels:
        return Priority.RARE
    return Priority.CHANGE if reason in (Reason.CHANGE, Reason.STILL) else Priority.ORDINARY
