"""What ended rollouts counted of single devices goes for its age; what came of them stays to be seen."""

import json
import time
from pathlib import Path

from sqlalchemy import Connection, func, select, update

from cloud_server.rollout.plan import at_once
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rollout_tables import rollout_counts, rollout_devices, rollout_verdicts, rollouts
from cloud_server.storage.rows import old_rollouts
from cloud_server.storage.rows import rollout_counts as counts
from cloud_server.storage.rows.rollout_counts import Arm, CountRow, ReachedRow, VerdictRow
from cloud_server.storage.rows.rollouts import find
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.rollouts import NOW, begun, ended, new_rollout
from tests.cloud_server.harness.server import server_in_thread
from tests.cloud_server.harness.waiting import wait_until

OUTCOMES = ("confirmed", "confirmed", "rolled-back", "timed-out", "pending")
DAY = 86_400.0


def fill(connection: Connection, rollout: str) -> None:
    """Rows of five devices, and a verdict."""
    rows = [ReachedRow(device, NOW, outcome, None, 3) for device, outcome in enumerate(OUTCOMES)]
    counts.put_outcomes(connection, rollout, rows)
    for device in range(len(OUTCOMES)):
        for arm in Arm:
            counts.add_counts(connection, rollout, CountRow(device, arm, 1, 100, 0, 0, None))
    add_what_waits(connection)
    counts.add_verdicts(connection, rollout, [VerdictRow(0, 1, "bytes", NOW, "pass", "{}")])


def left(connection: Connection) -> list[int]:
    """How many rows each table has."""
    tables = (rollout_counts, rollout_devices, rollout_verdicts, rollouts)
    return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_rows_of_devices_go_a_part_at_a_time_and_their_outcomes_are_summed_up_before(connection: Connection) -> None:
    row = begun(connection, new=new_rollout("abcd2345"))
    active = begun(connection, new=new_rollout("cccc2222", "letters"))
    for each in (row, active):
        fill(connection, each.id)
    assert old_rollouts.with_devices(connection, time.time() + DAY) is None, "both are active"
    ended(connection, row)
    assert old_rollouts.with_devices(connection, time.time() - DAY) is None, "it ended just now"
    gone = []
    while (due := old_rollouts.with_devices(connection, time.time() + DAY)) is not None:
        assert due == row.id
        gone.append(old_rollouts.remove_some(connection, due, 4))
    assert gone == [4, 4, 2, 4, 1]
    assert left(connection) == [10, 5, 2, 2]
    after, other = find(connection, row.id), find(connection, active.id)
    assert after is not None and other is not None
    assert json.loads(after.outcomes or "") == {"confirmed": 2, "rolled-back": 1, "timed-out": 1, "pending": 1}
    assert other.outcomes is None


def test_a_server_deletes_them_by_itself_and_shows_the_same_numbers_of_devices(engine: Engine, tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server", engine) as harness:
        harness.believe_clock()
        with harness.database() as database:
            row = begun(database, new=new_rollout()._replace(plan=at_once().model_dump_json()))
            fill(database, row.id)
            ended(database, row)
        path = f"/v1/rollouts/{row.id}"
        before = harness.client("operator").get(path).json()
        assert before["devices"]["confirmed"] == 2
        with harness.database() as database:
            database.execute(update(rollouts).values(ended_at=time.time() - 91 * DAY))

        def are_gone() -> bool:
            with harness.database() as database:
                return left(database) == [0, 0, 1, 1]

        wait_until(are_gone)
        after = harness.client("operator").get(path).json()
        assert (after["devices"], after["verdicts"]) == (before["devices"], before["verdicts"])
