"""Whether the bundle before may be encoded with beside the one in use, and for how long."""

from dataclasses import replace

import pytest

from sensor_client.ota.changes import may_be_probed
from sensor_client.ota.machine import next_state
from sensor_client.ota.states import Assigned, Encoded, Failed, FloorSeen, Policy, Proved, Ran, Save, State, Verified
from sensor_client.ota.update_state import UpdateState
from tests.sensor_client.ota.test_machine import NOW, TRYING, V1, V2, assignment, bundle

DAY = 86_400.0
ON_V1 = State(kept=UpdateState(seq=1, floor_counter=1, activations=1), active=V1, other=None)
FETCHING_V2 = replace(ON_V1, fetching=assignment(2, 2))
SWITCHED, _ = next_state(FETCHING_V2, Verified(assignment(2, 2), V2), NOW, TRYING)


def test_after_a_switch_the_bundle_before_may_be_probed_on_trial_and_after_it() -> None:
    proved, _ = next_state(SWITCHED, Proved(V2.target, 2), NOW, TRYING)
    assert may_be_probed(SWITCHED) and may_be_probed(proved)


def test_a_first_bundle_has_none_to_be_compared_with() -> None:
    new = State(kept=UpdateState(), active=None, other=None, fetching=assignment(1, 1))
    first, _ = next_state(new, Verified(assignment(1, 1), V1), NOW)
    assert not may_be_probed(first) and first.kept.probing_seconds_left == 0.0


@pytest.mark.parametrize("policy", [TRYING, Policy(proofs_needed=0)])
def test_it_may_for_seven_days_of_uptime_and_each_part_of_them_is_saved(policy: Policy) -> None:
    state, _ = next_state(FETCHING_V2, Verified(assignment(2, 2), V2), NOW, policy)
    for _ in range(6):
        state, actions = next_state(state, Ran(DAY), NOW, policy)
        assert actions == (Save(),) and may_be_probed(state)

    state, actions = next_state(state, Ran(DAY), NOW, policy)

    assert not may_be_probed(state) and actions == (Save(),)
    assert next_state(state, Ran(DAY), NOW, policy) == (state, ()), "nothing is left to be counted or saved"


def test_every_switch_begins_the_days_anew_also_the_one_back_to_the_bundle_before_a_trial() -> None:
    later, _ = next_state(SWITCHED, Ran(5 * DAY), NOW, TRYING)
    back, _ = next_state(later, Assigned(assignment(3, 1), None), NOW, TRYING)
    assert back.active == V1 and back.kept.probing_seconds_left == TRYING.probing_seconds and may_be_probed(back)

    onward, _ = next_state(
        replace(later, fetching=assignment(4, 3)), Verified(assignment(4, 3), bundle(3)), NOW, TRYING
    )
    assert onward.kept.probing_seconds_left == TRYING.probing_seconds


def test_a_bundle_that_failed_its_trial_here_is_not_encoded_with_again() -> None:
    back, _ = next_state(SWITCHED, Failed(V2.target, "why"), NOW, TRYING)
    assert back.active == V1 and back.other == V2 and not may_be_probed(back)


def test_a_bundle_below_the_floor_is_not_encoded_with_again() -> None:
    raised, _ = next_state(SWITCHED, FloorSeen(2), NOW, TRYING)
    assert not may_be_probed(raised)
    assert may_be_probed(next_state(SWITCHED, FloorSeen(1), NOW, TRYING)[0])


def test_where_a_program_from_before_switched_there_is_no_telling_when_and_nothing_is_probed() -> None:
    record = UpdateState.model_validate_json('{"seq": 2, "activations": 2, "floor_counter": 1}')
    found = State(kept=record, active=V2, other=V1)
    assert not may_be_probed(found) and not may_be_probed(next_state(found, Encoded(V2.target), NOW)[0])
