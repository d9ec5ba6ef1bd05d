"""What gates compare has a row for each device of which anything was counted, and none for those that count nowhere."""

import numpy as np
from sqlalchemy import Connection

from cloud_server.rollout.counted import counted
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import rollout_counts
from cloud_server.storage.rows.rollout_counts import Arm, CountRow
from tests.cloud_server.harness.rollouts import begun


def test_devices_have_the_same_row_in_both_arms_whatever_they_sent_and_nothing_known_is_nan(
    connection: Connection,
) -> None:
    rollout = begun(connection)
    for device, arm, frames in ((7, Arm.NEW, 70), (3, Arm.OLD, 30), (7, Arm.OLD, 71), (5, Arm.NEW, 50)):
        rollout_counts.add_counts(connection, rollout.id, CountRow(device, arm, frames, 9 * frames, 2, 1, None))
    add_what_waits(connection)
    rollout_counts.tell_encode_seconds(connection, rollout.id, 7, Arm.NEW, 0.25)
    counts = counted(connection, rollout, frozenset())
    assert counts.old.frames.tolist() == [30, 0, 71]
    assert counts.new.frames.tolist() == [0, 50, 70]
    assert counts.new.bytes.tolist() == [0, 450, 630]
    assert counts.old.fallback.tolist() == [2, 0, 2]
    assert counts.new.refused.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(counts.new.encode_seconds, [np.nan, np.nan, 0.25])
    assert counts.pairs.pairs.tolist() == counts.new.labelled.tolist() == [0, 0, 0]
    without = counted(connection, rollout, frozenset({5}))
    assert without.old.frames.tolist() == [30, 71]
    assert without.new.frames.tolist() == [0, 70]


def test_where_nothing_was_counted_there_are_no_devices(connection: Connection) -> None:
    counts = counted(connection, begun(connection), frozenset({1}))
    assert counts.old.frames.size == counts.new.frames.size == counts.pairs.pairs.size == 0
