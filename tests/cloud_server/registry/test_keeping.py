"""Which entries stay: a handful, whatever was published."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.errors import ConflictError
from cloud_server.registry.keeping import (
    ASSIGNED,
    IN_USE_MAX,
    NEWEST,
    ROLLED_OUT,
    needed_counters,
    require_room_to_hold,
    serving_unassigned,
)
from shared.trust.repository import ENTRIES_MAX
from tests.cloud_server.harness.lines import Stand
from tests.cloud_server.harness.rollouts import EVERYBODY, begun, ended, new_rollout

counters = st.sets(st.integers(1, 2**31 - 1), max_size=100)
few = st.sets(st.integers(1, 200), max_size=ASSIGNED + ROLLED_OUT)
held_at = st.sets(st.integers(1, 200), max_size=IN_USE_MAX)


@given(told=few, held=held_at, sent=counters, listed=counters)
def test_all_that_devices_are_told_or_held_at_stays_with_what_was_sent_last_and_they_are_a_handful(
    told: set[int], held: set[int], sent: set[int], listed: set[int]
) -> None:
    kept = needed_counters(told, held, sent, listed)
    newest = set(sorted(listed)[-NEWEST:])
    assert told | held | newest <= kept <= told | held | sent | newest
    assert len(kept) <= ASSIGNED + ROLLED_OUT + IN_USE_MAX + NEWEST
    one_signed_now, fallbacks = 1, 2
    assert len(kept) + one_signed_now + fallbacks <= ENTRIES_MAX


@given(told=few, held=held_at, sent=counters)
def test_of_what_devices_only_sent_last_the_newest_stay_as_far_as_there_is_room(
    told: set[int], held: set[int], sent: set[int]
) -> None:
    only_sent = sent - told - held
    stay = needed_counters(told, held, sent, []) & only_sent
    assert len(stay) == min(len(only_sent), IN_USE_MAX - len(held))
    assert not stay or min(stay) > max(only_sent - stay, default=0)


def test_what_more_devices_are_held_at_than_may_be_stays_all_the_same() -> None:
    held = set(range(1, IN_USE_MAX + 6))
    assert needed_counters([100], held, [200], []) == {100, *held}


def test_devices_are_held_at_so_many_bundles_and_at_no_other() -> None:
    others = range(1, IN_USE_MAX + 1)
    require_room_to_hold("digits", 40, others[1:])
    require_room_to_hold("digits", 7, others)
    with pytest.raises(ConflictError, match=r"digits/40 would be one more than the 32 .* \(1, 2, .*, 32\).* unpin"):
        require_room_to_hold("digits", 40, others)


@given(listed=counters, floor=st.integers(1, 2**31 - 1))
def test_what_answers_a_family_that_is_assigned_nothing_stays(listed: set[int], floor: int) -> None:
    run = {counter for counter in listed if counter >= floor}
    assert serving_unassigned(listed, floor) == ([min(run)] if run else [])


@pytest.mark.parametrize("assigned", [[1, 2, 1], []])
def test_both_of_a_rollouts_bundles_stay_listed_until_it_ends(stand: Stand, assigned: list[int]) -> None:
    line = stand.line(devices=0)

    def kept() -> set[int]:
        paths = line.operator.get(f"/v1/tuf/{line.family}/keep").json()["keep"]
        return {int(path.removeprefix(f"{line.family}/").removesuffix(".json")) for path in paths}

    for counter in range(1, 4):
        assert line.publish(counter).status_code == 201
    for counter in assigned:
        assert line.assign(counter).status_code == 201
    with stand.harness.database() as database:
        row = begun(database, [EVERYBODY], new=new_rollout(f"{line.family[-4:]:x>8}", line.family, 3), now=time.time())
    for counter in (4, 5):
        assert line.publish(counter).status_code == 201
    assert kept() == {1, *assigned, 3, 4, 5}
    with stand.harness.database() as database:
        ended(database, row)
    assert kept() == {1, *assigned, 4, 5}
