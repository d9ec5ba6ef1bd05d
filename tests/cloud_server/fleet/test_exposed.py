"""Devices follow a rollout: on to its bundle and back to the old number, whichever process leads it."""

import asyncio
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import Connection, event
from sqlalchemy import Engine as Connector

from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device
from cloud_server.fleet.exposed import TAGS_SECONDS, Exposed, TagsRead
from cloud_server.fleet.exposure import Exposure, Reach, share_of
from cloud_server.open_storage import engine_of
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import fleet, rollouts
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.rows.rollouts import RolloutRow
from cloud_server.storage.witness import Facts, unwitnessed
from shared.wire import Assignment
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.late_reads import LateReads
from tests.cloud_server.harness.rollouts import EVERYBODY, NOW, begun, ended, enrolled, exposing
from tests.cloud_server.harness.server import settings

NAMES = [f"camera{number:02}" for number in range(20)]
HALF = Reach(50, frozenset())
ROOF = Reach(100, frozenset({"roof"}))
NEW = Assignment(seq=9, family="digits", counter=2, target="digits/2.json")
Scenario = Callable[["Fleet"], Awaitable[None]]


@dataclass
class Fleet:
    """Twenty devices of digits, which is assigned bundle 1; what two processes tell them, by a clock that stands."""

    connector: Connector
    database: LateReads
    one: Assignments
    other: Assignments
    now: float = NOW
    devices: list[Device] = field(default_factory=list)

    async def rollout(self, *reaches: Reach) -> RolloutRow:
        """A rollout to bundle 2, begun by a third process."""
        row = await self.database.write(partial(begun, reaches=reaches))
        await self.follow()
        return row

    async def expose(self, row: RolloutRow, *reaches: Reach) -> RolloutRow:
        """The rollout's next stage."""
        after = await self.database.write(partial(exposing, row=row, reaches=reaches))
        await self.follow()
        return after

    async def follow(self) -> None:
        """Both processes read what holds."""
        for assignments in (self.one, self.other):
            await assignments.load()

    def told(self) -> list[int]:
        """The counter that each device is told to run, by both processes."""
        told = [self.one.current(device) for device in self.devices]
        assert told == [self.other.current(device) for device in self.devices]
        assert [one.seq for one in told] == [self.one.seq(device) for device in self.devices]
        return [one.counter for one in told]


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario on a database of its own."""

    async def scene(scenario: Scenario) -> None:
        connector = engine_of(settings(tmp_path, **engine.settings(tmp_path)))
        migrate(connector)
        database = LateReads(connector, asyncio.get_running_loop(), 10)
        one, other = (Assignments(database, lambda: there.now) for _ in range(2))
        there = Fleet(connector, database, one, other)
        for name in NAMES:
            row = await database.write(partial(enrolled, public_id=name))
            there.devices.append(Device(row, name, "digits", b"", NOW))
        await there.one.assign_family("digits", 1, unwitnessed, lambda _: None)
        try:
            await scenario(there)
        finally:
            await asyncio.to_thread(database.close)

    return lambda scenario: asyncio.run(scene(scenario))


Run = Callable[[Scenario], None]


def test_exposed_devices_are_told_the_new_bundle_and_the_same_ones_again_when_it_gets_wider(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        row = await there.rollout()
        assert there.told() == [1] * 20, "a rollout that has begun exposes nobody"
        row = await there.expose(row, HALF)
        half = [2 if share_of(row.id, name) < 50 else 1 for name in NAMES]
        assert there.told() == half and set(half) == {1, 2}
        await there.expose(row, HALF, EVERYBODY)
        assert there.told() == [2] * 20

    run(scenario)


def test_a_rollout_that_goes_back_gives_exactly_the_exposed_devices_their_old_number(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        await there.follow()
        before = [there.one.seq(device) for device in there.devices]
        row = await there.rollout(HALF)
        assert {there.one.seq(device) for device in there.devices} == {before[0], row.seq}
        await there.database.write(partial(ended, row=row))
        await there.follow()
        assert [there.one.seq(device) for device in there.devices] == before

    run(scenario)


def test_nobody_notices_that_a_rollout_is_complete_but_those_who_join_later(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        row = await there.rollout(EVERYBODY)
        before = [there.one.current(device) for device in there.devices]
        await there.database.write(partial(rollouts.complete, wanted=row, now=NOW))
        await there.follow()
        assert [there.one.current(device) for device in there.devices] == before
        assert there.one.of_family("digits") == before[0]

    run(scenario)


def test_a_rollout_that_is_completed_while_all_is_read_takes_nobody_back(run: Run) -> None:
    """On PostgreSQL each statement of a read sees what was committed before it."""

    async def scenario(there: Fleet) -> None:
        row = await there.rollout(EVERYBODY)
        left = [row]

        @event.listens_for(there.connector, "after_cursor_execute")
        def complete(*statement: object) -> None:
            if left and "FROM" in str(statement[2]):
                wanted = left.pop()
                with there.connector.begin() as connection:
                    assert rollouts.complete(connection, wanted, NOW)

        await there.one.load()
        assert not left, "it is complete"
        assert {there.one.current(device).counter for device in there.devices} == {2}
        await there.follow()
        assert there.told() == [2] * 20

    run(scenario)


def test_held_devices_are_not_exposed_until_they_are_let_go(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        await there.rollout(EVERYBODY)
        pinned, quarantined, unknown = there.devices[:3]
        for device, kind, counter in (
            (pinned, HoldKind.PIN, 3),
            (quarantined, HoldKind.QUARANTINE, 1),
            (unknown, HoldKind.QUARANTINE, None),
        ):
            await there.one.hold(device, kind, lambda _, counter=counter: counter, unwitnessed, "why not")  # type: ignore[misc]
        await there.follow()
        assert there.told() == [3, 1, 1] + [2] * 17
        await there.one.let_go(pinned, HoldKind.PIN, unwitnessed)
        await there.follow()
        assert there.told() == [2, 1, 1] + [2] * 17

    run(scenario)


def test_tagged_devices_are_exposed_within_seconds_of_getting_the_tag(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        await there.database.write(partial(retagged, name=NAMES[0], tags=["roof", "old"]))
        row = await there.rollout(ROOF)
        assert there.told() == [2] + [1] * 19
        await there.database.write(partial(retagged, name=NAMES[0], tags=["old"]))
        await there.database.write(partial(retagged, name=NAMES[1], tags=["roof"]))
        there.now += TAGS_SECONDS - 0.1
        await there.follow()
        assert there.told() == [2] + [1] * 19, "tags are not read with every look at what holds"
        there.now += 0.1
        await there.follow()
        assert there.told() == [1, 2] + [1] * 18
        await there.expose(row, ROOF, Reach(100, frozenset({"old"})))
        assert there.told() == [2, 2] + [1] * 18, "a reach with another tag is told of at once"

    run(scenario)


def retagged(connection: Connection, name: str, tags: list[str]) -> None:
    """Give a device these tags and no others."""
    assert fleet.change_tags(connection, name, lambda _before: tags)


def test_what_is_assigned_ends_the_rollout_for_everybody_at_once_and_says_so(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        noted: list[tuple[Facts | None, Facts | None]] = []

        def witness(_transaction: Connection, before: Facts | None, after: Facts | None) -> None:
            noted.append((before, after))

        row = await there.rollout(EVERYBODY)
        await there.one.assign_family("digits", 1, witness, lambda _: None)
        assert {there.one.seq(device) for device in there.devices} == {row.old_seq}
        before = {"counter": 1, "seq": row.old_seq}
        assert noted == [(before, before | {"superseded": row.id})]
        await there.follow()
        assert there.told() == [1] * 20
        again = await there.database.read(partial(rollouts.find, rollout=row.id))
        assert again is not None and (again.state, again.ended_at) == ("superseded", NOW)

    run(scenario)


def test_what_was_refused_ends_no_rollout(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        def refuse(_transaction: Connection) -> None:
            raise ValueError("below the floor")

        await there.rollout(EVERYBODY)
        with pytest.raises(ValueError, match="floor"):
            await there.one.assign_family("digits", 1, unwitnessed, refuse)
        await there.follow()
        assert there.told() == [2] * 20

    run(scenario)


def test_what_was_read_earlier_and_answered_later_takes_nobody_back(run: Run) -> None:
    async def scenario(there: Fleet) -> None:
        row = await there.rollout()
        there.database.meanwhile = partial(there.expose, row, EVERYBODY)
        await there.one.load()
        assert there.told() == [2] * 20

    run(scenario)


class Counted(Exposure):
    """Counts who is asked for."""

    asked: ClassVar[list[str]] = []

    def includes(self, device_id: str, tags: Set[str]) -> bool:
        """As an exposure."""
        self.asked.append(device_id)
        return super().includes(device_id, tags)


def test_who_is_exposed_is_worked_out_once_and_again_only_when_something_changes() -> None:
    Counted.asked.clear()
    counted, nobody = Counted("abcd2345", "digits", NEW, (EVERYBODY,)), Exposed((), {})
    exposed = nobody.followed_by([counted], {})
    for _ in range(3):
        assert exposed.target("digits", "k3v9x2mq") == NEW
        assert exposed.target("letters", "k3v9x2mr") is None
        exposed = exposed.followed_by([Counted("abcd2345", "digits", NEW, (EVERYBODY,))], {})
    assert Counted.asked == ["k3v9x2mq"]
    exposed = exposed.followed_by([Counted("abcd2345", "digits", NEW, ())], {})
    assert exposed.target("digits", "k3v9x2mq") is None
    assert exposed.without("digits").target("digits", "k3v9x2mq") is None


@pytest.mark.parametrize(("passed", "serve"), [(0.0, True), (4.9, True), (5.0, False), (-1.0, False)])
def test_tags_serve_for_some_seconds_and_not_after_the_clock_was_set_back(passed: float, *, serve: bool) -> None:
    wanted = frozenset({("digits", "roof")})
    assert TagsRead(wanted, {}, NOW).serve(wanted, NOW + passed) == serve
    assert TagsRead().serve(frozenset(), NOW + passed)
