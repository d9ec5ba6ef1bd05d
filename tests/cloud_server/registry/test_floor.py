"""Publishing takes tables from nobody (invariant 9), and what is below a floor all the same is told.

Random publications, assignments, pins and quarantines are made on a real server. Whatever was published, each device is
assigned what it was, a new one in its place gets just these tables, and its frames are answered by whom they were.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from tuf.api.metadata import Metadata, Targets

from cloud_server.errors import BelowFloorError
from cloud_server.operators.roles import Role
from cloud_server.registry.floor import BelowFloor, Falling, require_may_fall
from shared.trust import Role as SigningRole
from shared.trust import load_key
from shared.wire import ProblemCode
from tests.cloud_server.harness.lines import DEVICES, Stand, encoded
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.rollouts import EVERYBODY, begun, new_rollout
from tests.cloud_server.harness.server import ServerHarness

MOST = 8
counters = st.integers(1, MOST)


class Publications(RuleBasedStateMachine):
    """Whoever publishes, and whoever says what devices run."""

    stand: Stand

    def __init__(self) -> None:
        super().__init__()
        self.line = self.stand.line()
        self.floors = {1: 1}
        assert self.line.publish(1).status_code == 201

    @rule(step=st.integers(0, 2), floor=counters)
    def publish(self, step: int, floor: int) -> None:
        """Publishing alone changes nothing for anybody, whether it is taken or refused."""
        before, counter = self.line.seen(), max(self.floors) + step
        min_counter = self.floors.get(counter, min(floor, counter))
        answer = self.line.publish(counter, min_counter)
        assert answer.status_code in (201, 409), answer.text
        if answer.status_code == 201:
            self.floors[counter] = min_counter
        assert self.line.seen() == before

    @rule(floor=counters)
    def raise_floor(self, floor: int) -> None:
        """An operator takes the floor up whatever that takes from whom."""
        counter = max(self.floors) + 1
        self.floors[counter] = min(floor, counter)
        answer = self.line.publish(counter, self.floors[counter], raise_floor="everything")
        assert answer.status_code == 201, answer.text

    @rule(counter=counters)
    def assign(self, counter: int) -> None:
        answer = self.line.assign(counter)
        assert (answer.status_code == 201) <= (self.line.floor <= counter), "below the floor nothing is assigned"

    @rule(device=st.integers(0, DEVICES - 1), counter=counters)
    def pin(self, device: int, counter: int) -> None:
        answer = self.line.hold(self.line.devices[device], "pin", {"counter": counter})
        assert (answer.status_code == 200) <= (self.line.floor <= counter), "below the floor nobody is pinned"

    @rule(device=st.integers(0, DEVICES - 1))
    def quarantine(self, device: int) -> None:
        assert self.line.hold(self.line.devices[device], "quarantine", {"reason": "why not"}).status_code == 200

    @rule(device=st.integers(0, DEVICES - 1), part=st.sampled_from(["pin", "quarantine"]))
    def let_go(self, device: int, part: str) -> None:
        assert self.line.hold(self.line.devices[device], part, None).status_code == 200

    def teardown(self) -> None:
        """What no new device would get is what is marked, everywhere."""
        floor, below = self.line.floor, self.line.below
        assert below["floor"] == floor
        rows = [self.line.operator.get(f"/v1/devices/{one.device_id}").json() for one in self.line.devices]
        for row, seen in zip(rows, self.line.seen(), strict=True):
            assert row["floor"] == floor
            if seen.assigned is not None:
                assert (seen.tables is None) == (row["assigned"] < row["floor"])
        held = [row for row in rows if self._held_below(row, floor)]
        assert sorted(below["devices"]) == sorted(row["device_id"] for row in held)
        (counts,) = [
            row for row in self.line.operator.get("/v1/fleet").json()["families"] if row["family"] == self.line.family
        ]
        assert counts["held_below_floor"] == len(held)

    @staticmethod
    def _held_below(row: dict[str, Any], floor: int) -> bool:
        quarantined = row["quarantine"] and row["quarantine"]["counter"]
        return any(counter is not None and counter < floor for counter in (row["pinned"], quarantined))


def test_whatever_is_published_no_device_loses_tables_or_is_answered_otherwise(
    stand: Stand, request: pytest.FixtureRequest
) -> None:
    class Here(Publications):
        pass

    Here.stand = stand
    run_state_machine_as_test(
        Here,
        settings=hypothesis_settings(
            max_examples=6,
            stateful_step_count=10,
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=request.config.getoption("--hypothesis-seed") is None,
            database=None,
        ),
    )


def test_a_list_that_takes_the_assigned_bundle_below_the_floor_is_refused_unless_that_is_asked_for(
    stand: Stand,
) -> None:
    line = stand.line()
    assert line.publish(1).status_code == 201
    assert line.assign(1).status_code == 201
    refused = line.publish(2, 2)
    assert_problem(refused, 409, ProblemCode.BELOW_FLOOR)
    assert f"{line.family}/1, which the family is assigned" in refused.json()["detail"]
    assert line.floor == 1

    below = line.publish(2, 2, raise_floor="family").json()["below_floor"]
    nobody = {"pinned": 0, "quarantined": 0, "devices": [], "led_to": None, "rollout": None}
    assert below == {"floor": 2, "assigned": 1} | nobody
    assert line.below == below
    (row,) = [row for row in line.operator.get("/v1/bundles").json()["bundles"] if row["name"] == f"{line.family}/1"]
    assert (row["is_assigned"], row["is_below_floor"]) == (True, True)
    assert_problem(line.assign(1), 409, ProblemCode.BELOW_FLOOR)
    answer = line.assign(2).json()
    assert (answer["counter"], answer["below_floor"]) == (2, below | {"assigned": None})


@pytest.mark.parametrize("how", [{}, {"raise_floor": "family"}, {"raise_floor": "everything"}])
def test_the_floor_rises_above_no_bundle_to_which_a_rollout_leads(stand: Stand, how: dict[str, str]) -> None:
    line = stand.line(devices=0)
    for counter in (1, 2):
        assert line.publish(counter).status_code == 201
    assert line.assign(1).status_code == 201
    new = new_rollout(f"{line.family[-4:]:x>8}", line.family, 2)
    with stand.harness.database() as database:
        begun(database, [EVERYBODY], new=new, now=time.time())
    for floor, assigned, led_to, rollout in ((1, None, None, None), (2, 1, None, new.id), (3, 1, 2, new.id)):
        told = line.operator.get(f"/v1/tuf/{line.family}/floor", params={"raised_to": floor}).json()
        assert (told["assigned"], told["led_to"], told["rollout"]) == (assigned, led_to, rollout)
    refused = line.publish(3, 3, **how)
    assert_problem(refused, 409, ProblemCode.BELOW_FLOOR)
    assert f"{line.family}/2, to which rollout {new.id} leads" in refused.json()["detail"]
    assert line.publish(3, 2, raise_floor="family").status_code == 201, "what it leads from is as what is assigned"
    assert_problem(line.publish(4, 3, **how), 409, ProblemCode.BELOW_FLOOR)
    assert line.assign(3).status_code == 201
    assert line.publish(4, 3, **how).status_code == 201, "the rollout is over"
    assert line.below["rollout"] is None


@pytest.mark.parametrize("part", ["pin", "quarantine"])
def test_what_single_devices_are_held_at_falls_below_the_floor_only_where_everything_may(
    stand: Stand, part: str
) -> None:
    line = stand.line()
    for counter in (1, 2):
        assert line.publish(counter).status_code == 201
    assert line.assign(2).status_code == 201
    device, why = line.devices[1], {"reason": "why not"} if part == "quarantine" else {}
    assert line.hold(device, part, {"counter": 1, **why}).status_code == 200
    for how in ({}, {"raise_floor": "family"}):
        refused = line.publish(3, 2, **how)
        assert_problem(refused, 409, ProblemCode.BELOW_FLOOR)
        assert device.device_id in refused.json()["detail"]
    below = line.publish(3, 2, raise_floor="everything").json()["below_floor"]
    assert below["devices"] == [device.device_id] and below["pinned"] + below["quarantined"] == 1
    row = line.operator.get(f"/v1/devices/{device.device_id}").json()
    assert (row["assigned"], row["floor"]) == (1, 2)
    assert line.publish(4, 2).status_code == 201, "what had fallen before is taken from nobody"


def test_whoever_may_only_publish_takes_nothing_below_the_floor(stand: Stand) -> None:
    line = stand.line()
    assert line.publish(1).status_code == 201
    assert line.assign(1).status_code == 201
    trainer, made = stand.harness.operator(f"trainer-{line.family}", Role.TRAINER), line.signed(2, 2, line.targets)
    for falling in ("family", "everything"):
        answer = line.send(*made, client=trainer, raise_floor=falling)
        assert_problem(answer, 403, ProblemCode.ROLE_NEEDED)
    assert line.send(*line.signed(2, 1, line.targets), client=trainer).status_code == 201


def test_a_list_that_is_pushed_keeps_to_the_same_rule(stand: Stand) -> None:
    line = stand.line()
    for counter in (1, 2):
        assert line.publish(counter).status_code == 201
    assert line.assign(1).status_code == 201
    _, targets = line.signed(2, 1, line.targets)
    raised = raised_to(2, targets, stand.harness)
    path = f"/v1/tuf/{line.family}/targets"
    assert_problem(line.operator.put(path, json={"targets": encoded(raised)}), 409, ProblemCode.BELOW_FLOOR)
    answer = line.operator.put(path, json={"targets": encoded(raised), "raise_floor": "everything"})
    assert (answer.status_code, answer.json()["assigned"], answer.json()["floor"]) == (200, 1, 2)


def raised_to(floor: int, targets: bytes, harness: ServerHarness) -> bytes:
    """The same list with a higher floor."""
    metadata = Metadata[Targets].from_bytes(targets)
    metadata.signed.unrecognized_fields["min_counter"] = floor
    metadata.sign(load_key(harness.keys, SigningRole.TARGETS))
    return metadata.to_bytes()


def test_of_two_who_publish_at_once_one_is_told_to_sign_again_and_then_meets_the_floor(stand: Stand) -> None:
    line = stand.line()
    assert line.publish(1).status_code == 201
    assert line.assign(1).status_code == 201
    both = [line.signed(2, 1, line.targets), line.signed(3, 3, line.targets)]
    with ThreadPoolExecutor(2) as pool:
        mild, raising = pool.map(lambda made: line.send(*made), both)
    assert (mild.status_code, raising.status_code) == (201, 409), raising.text
    assert_problem(line.send(*line.signed(3, 3, line.targets)), 409, ProblemCode.BELOW_FLOOR)


def test_an_assignment_and_a_higher_floor_at_once_never_leave_it_below(stand: Stand) -> None:
    for _ in range(6):
        line = stand.line()
        for counter in (1, 2):
            assert line.publish(counter).status_code == 201
        assert line.assign(2).status_code == 201
        made = line.signed(3, 2, line.targets)
        with ThreadPoolExecutor(2) as pool:
            raising = pool.submit(line.send, *made)
            assigning = pool.submit(line.assign, 1)
        statuses = (raising.result().status_code, assigning.result().status_code)
        assert statuses in ((201, 409), (409, 201)), statuses
        assert line.below["assigned"] is None


FALLS = BelowFloor("digits", 5, assigned=3, pinned=1, quarantined=0, devices=("one",))
ALONE = BelowFloor("digits", 5, assigned=3, pinned=0, quarantined=0, devices=())
NONE = BelowFloor("digits", 5, assigned=None, pinned=0, quarantined=0, devices=())
OLD = BelowFloor("digits", 5, assigned=3, pinned=0, quarantined=0, devices=(), rollout="abcd2345")
LED_TO = BelowFloor("digits", 5, assigned=3, pinned=0, quarantined=0, devices=(), led_to=4, rollout="abcd2345")


@pytest.mark.parametrize(
    ("falls", "falling", "unassigned"),
    [
        (NONE, Falling.NOTHING, None),
        (ALONE, Falling.FAMILY, None),
        (NONE, Falling.FAMILY, 2),
        (FALLS, Falling.EVERYTHING, None),
    ],
)
def test_what_is_allowed_to_fall_may_fall(falls: BelowFloor, falling: Falling, unassigned: int | None) -> None:
    require_may_fall(falls, falling, unassigned)


@pytest.mark.parametrize(
    ("falls", "falling", "unassigned", "named"),
    [
        (ALONE, Falling.NOTHING, None, "digits/3, which the family is assigned"),
        (OLD, Falling.NOTHING, None, "digits/3, which the family is assigned and goes back to where rollout abcd2345"),
        (FALLS, Falling.FAMILY, None, "1 pinned and 0 quarantined: one"),
        (NONE, Falling.NOTHING, 2, "digits/2, which answers before the first assignment"),
        (LED_TO, Falling.EVERYTHING, None, "digits/4, to which rollout abcd2345 leads .* dctwire assign digits"),
    ],
)
def test_what_is_not_allowed_to_fall_is_named_in_the_refusal(
    falls: BelowFloor, falling: Falling, unassigned: int | None, named: str
) -> None:
    with pytest.raises(BelowFloorError, match=named):
        require_may_fall(falls, falling, unassigned)
