"""Why a device has no tables, in the words of its log: nothing is assigned, or what is assigned was refused. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from sensor_client.device_channel import AssignmentReply
from sensor_client.ota.states import State


@dataclass(frozen=True)
class WithoutTables:
    """An event of the log, and what it says."""

    event: str
    said: Mapping[str, str | int]


def why_without_tables(state: State, reply: AssignmentReply, family: str) -> WithoutTables | None:
    """Why no picture is taken after the server has answered; None where there are tables, or may be soon.

    Args:
        family: the device's, from its enrolment.
    """
    if state.active is not None:
        return None
    if reply.assignment is None and reply.etag is None:
        return WithoutTables("no-tables-assigned", _none_assigned(family))
    refused = state.kept.last_refused
    if refused is None or (reply.assignment is not None and reply.assignment.target != refused.target):
        return None
    said: dict[str, str | int] = {
        "family": family,
        "assigned": refused.target,
        "floor": state.kept.floor_counter,
        "code": refused.code,
        "reason": f"no picture is taken before the device is assigned tables that it may run: {refused.reason}",
        "operator_types": f"dctwire bundles, then dctwire assign {family} COUNTER with one at or above the floor; "
        "for a pinned device: dctwire devices pin DEVICE COUNTER, or unpin DEVICE",
    }
    return WithoutTables("assigned-tables-refused", said)


def _none_assigned(family: str) -> Mapping[str, str]:
    return {
        "family": family,
        "reason": "no picture is taken before the family has tables; this device goes on asking",
        "operator_types": f"dctwire publish BUNDLE --keys KEYS --assign, or dctwire assign {family} COUNTER",
    }
