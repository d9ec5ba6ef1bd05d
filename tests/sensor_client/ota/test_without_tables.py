"""Why a device has no tables."""

from dataclasses import replace

import pytest

from sensor_client.device_channel import AssignmentReply
from sensor_client.ota.states import BundleFacts, State
from sensor_client.ota.update_state import RefusedOffer, UpdateState
from sensor_client.ota.without_tables import why_without_tables
from shared.wire import Assignment

V1 = Assignment(seq=1, family="signs", counter=1, target="signs/1.json")
V2 = Assignment(seq=2, family="signs", counter=2, target="signs/2.json")
REFUSED = RefusedOffer(seq=1, target="signs/1.json", code="offer-refused", reason="too old")
EMPTY = State(kept=UpdateState(), active=None, other=None)
BELOW = State(kept=UpdateState(floor_counter=3, last_refused=REFUSED), active=None, other=None)
NONE, UNCHANGED = AssignmentReply(None, None), AssignmentReply(None, '"1"')


@pytest.mark.parametrize("state", [EMPTY, BELOW])
def test_where_nothing_is_assigned_that_is_why(state: State) -> None:
    why = why_without_tables(state, NONE, "signs")
    assert why is not None and why.event == "no-tables-assigned"


@pytest.mark.parametrize("reply", [AssignmentReply(V1, '"1"'), UNCHANGED])
def test_where_what_is_assigned_was_refused_that_is_why_also_while_the_server_says_the_same(
    reply: AssignmentReply,
) -> None:
    why = why_without_tables(BELOW, reply, "signs")
    assert why is not None and why.event == "assigned-tables-refused"
    assert (why.said["assigned"], why.said["floor"], why.said["code"]) == ("signs/1.json", 3, "offer-refused")


@pytest.mark.parametrize(
    ("state", "reply"),
    [
        (EMPTY, AssignmentReply(V1, None)),
        (BELOW, AssignmentReply(V2, None)),
        (replace(BELOW, active=BundleFacts(target="signs/4.json", digest="", counter=4, min_counter=1)), UNCHANGED),
    ],
)
def test_a_device_that_has_tables_or_may_get_them_soon_says_nothing(state: State, reply: AssignmentReply) -> None:
    assert why_without_tables(state, reply, "signs") is None
