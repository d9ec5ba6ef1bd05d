"""What is seen of a rollout: which devices count, since when, and for which of the two bundles."""

from collections.abc import Collection

import pytest
from sqlalchemy import Connection, update

from cloud_server.rollout.outcomes import Tally
from cloud_server.rollout.plan import Plan, Stage
from cloud_server.rollout.seeing import Sight, see
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import assignments, heartbeats, rollout_counts
from cloud_server.storage.rows.heartbeats import EventRow
from cloud_server.storage.rows.rollout_counts import Arm, CountRow
from cloud_server.storage.rows.rollouts import RolloutRow
from cloud_server.storage.schema import devices
from tests.cloud_server.harness.rollouts import NOW, answered, begun, enrolled, labelled

PLAN = Plan(stages=(Stage(percent=100),), proofs=3, timeout_seconds=100)
STAGED = NOW + 1000
"""When this stage began."""
LOOKED = STAGED + 10_000


@pytest.fixture
def rollout(connection: Connection) -> RolloutRow:
    """A rollout of digits from bundle 1 to 2, to everybody."""
    assignments.assign(connection, "digits", 1, NOW)
    return begun(connection)._replace(stage_since=STAGED)


def camera(
    connection: Connection, name: str = "k3v9x2mq", heard: float | None = STAGED, tables: str | None = None
) -> int:
    """A device that was heard of last at a time; returns its row."""
    device = enrolled(connection, name)
    connection.execute(update(devices).where(devices.c.id == device).values(last_seen_at=heard, last_tables=tables))
    return device


def count(connection: Connection, rollout: RolloutRow, device: int, arm: Arm, frames: int, fallback: int = 0) -> None:
    """Count frames of a device, each of 100 bytes."""
    row = CountRow(device, arm, frames, 100 * frames, fallback, 0, None)
    rollout_counts.add_counts(connection, rollout.id, row)
    add_what_waits(connection)


def label(connection: Connection, device: int, sequence: int, model: str, *, is_correct: bool) -> None:
    """A frame that was answered, and its label."""
    answered(connection, device, sequence, model, at=LOOKED)
    labelled(connection, device, sequence, "one", is_correct=is_correct, at=LOOKED)


def look(connection: Connection, rollout: RolloutRow, now: float = LOOKED, uncounted: Collection[int] = ()) -> Sight:
    """See it, counts included; everybody is exposed."""
    return see(connection, rollout, PLAN, lambda _device: True, uncounted, now, with_counts=True)


@pytest.mark.parametrize(
    ("heard", "tally"),
    [
        (None, Tally(not_reached=1)),
        (NOW + 999, Tally(not_reached=1)),
        (STAGED, Tally(pending=1)),
        (STAGED + 5000, Tally(pending=1)),
    ],
)
def test_a_device_is_reached_once_it_is_heard_of_in_the_stage_that_exposes_it(
    connection: Connection, rollout: RolloutRow, heard: float | None, tally: Tally
) -> None:
    camera(connection, heard=heard)
    assert look(connection, rollout).tally == tally


def test_the_time_of_a_device_runs_from_when_it_was_reached_first(connection: Connection, rollout: RolloutRow) -> None:
    device = camera(connection)
    for later, tally in ((0, Tally(pending=1)), (99, Tally(pending=1)), (100, Tally(timed_out=1))):
        heard = update(devices).where(devices.c.id == device).values(last_seen_at=STAGED + later)
        connection.execute(heard)
        sight = look(connection, rollout, STAGED + later)
        assert sight.tally == tally
        rollout_counts.put_outcomes(connection, rollout.id, sight.changed)
    assert [tuple(row) for row in rollout_counts.reached(connection, rollout.id)] == [
        (device, STAGED, "timed-out", STAGED + 100, 0)
    ]


def test_what_was_noted_is_not_noted_again_until_it_changes(connection: Connection, rollout: RolloutRow) -> None:
    device = camera(connection)
    pending = look(connection, rollout).changed
    assert [tuple(row) for row in pending] == [(device, STAGED, "pending", None, 0)]
    rollout_counts.put_outcomes(connection, rollout.id, pending)
    assert look(connection, rollout).changed == []
    count(connection, rollout, device, Arm.NEW, 3)
    confirmed = look(connection, rollout).changed
    assert [tuple(row) for row in confirmed] == [(device, STAGED, "confirmed", LOOKED, 3)]
    rollout_counts.put_outcomes(connection, rollout.id, confirmed)
    assert look(connection, rollout).changed == []


@pytest.mark.parametrize(
    ("arm", "frames", "fallback", "tally"),
    [
        (Arm.NEW, 3, 0, Tally(confirmed=1)),
        (Arm.NEW, 5, 3, Tally(pending=1)),
        (Arm.OLD, 5, 0, Tally(pending=1)),
    ],
)
def test_only_frames_that_the_new_classifier_answered_prove_the_bundle(
    connection: Connection, rollout: RolloutRow, arm: Arm, frames: int, fallback: int, tally: Tally
) -> None:
    count(connection, rollout, camera(connection), arm, frames, fallback)
    assert look(connection, rollout).tally == tally


def test_frames_of_the_old_bundle_are_none_that_a_stage_asks_for(connection: Connection, rollout: RolloutRow) -> None:
    device, other = camera(connection), camera(connection, "other222")
    for arm, frames in ((Arm.OLD, 1000), (Arm.NEW, 7)):
        count(connection, rollout, device, arm, frames)
    count(connection, rollout, other, Arm.NEW, 2)
    assert look(connection, rollout).frames == 9


@pytest.mark.parametrize(
    "told", [("rolled-back", "rejected", "confirmed"), ("rejected", "rolled-back"), ("rolled-back",)]
)
def test_the_worst_that_a_device_told_counts_in_whatever_order_it_told(
    connection: Connection, rollout: RolloutRow, told: tuple[str, ...]
) -> None:
    device = camera(connection)
    for second, event in enumerate(told):
        row = EventRow(device, rollout.seq, event, "digits/2.json", None, None, STAGED + second)
        heartbeats.add_event(connection, row, 9)
    elsewhere = EventRow(camera(connection, "other222"), rollout.seq, "rejected", "digits/3.json", None, None, STAGED)
    heartbeats.add_event(connection, elsewhere, 9)
    assert look(connection, rollout).tally == Tally(rolled_back=1, pending=1)


def test_a_roll_back_waits_for_those_it_reached_that_sent_the_new_tables_last(
    connection: Connection, rollout: RolloutRow
) -> None:
    for name, tables in (("new22222", "v2"), ("back2222", "v1"), ("silent22", None)):
        camera(connection, name, tables=tables)
    rollout_counts.put_outcomes(connection, rollout.id, look(connection, rollout).changed)
    pinned = camera(connection, "pinned22", tables="v2")  # an operator's choice, which no rollout takes back
    assert look(connection, rollout, uncounted={pinned}).still_new == 1


def test_of_a_device_from_which_nothing_may_be_concluded_nothing_is(
    connection: Connection, rollout: RolloutRow
) -> None:
    held, device = camera(connection), camera(connection, "other222")
    for each in (held, device):
        count(connection, rollout, each, Arm.NEW, 3)
        label(connection, each, 1, "digits/2", is_correct=each == device)
    sight = look(connection, rollout, uncounted={held})
    assert (sight.exposed, sight.tally, sight.frames) == (1, Tally(confirmed=1), 3)
    assert sight.counts is not None
    arm = sight.counts.new
    assert (arm.frames.tolist(), arm.labelled.tolist(), arm.correct.tolist()) == ([3], [1], [1])


def test_frames_and_labels_count_for_the_bundle_that_answered_and_for_their_device(
    connection: Connection, rollout: RolloutRow
) -> None:
    device, other = camera(connection), camera(connection, "other222")
    count(connection, rollout, device, Arm.OLD, 5)
    count(connection, rollout, device, Arm.NEW, 4, 1)
    count(connection, rollout, other, Arm.OLD, 2)
    for sequence, (model, is_correct) in enumerate([("digits/1", True), ("digits/1", True), ("digits/2", False)]):
        label(connection, device, sequence, model, is_correct=is_correct)
    counts = look(connection, rollout).counts
    assert counts is not None
    old, new = counts.old, counts.new
    assert (old.frames.tolist(), old.bytes.tolist(), old.fallback.tolist()) == ([5, 2], [500, 200], [0, 0])
    assert (new.frames.tolist(), new.bytes.tolist(), new.fallback.tolist()) == ([4, 0], [400, 0], [1, 0])
    assert (old.labelled.tolist(), old.correct.tolist()) == ([2, 0], [2, 0])
    assert (new.labelled.tolist(), new.correct.tolist()) == ([1, 0], [0, 0])
