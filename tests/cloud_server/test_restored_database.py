"""A dump of PostgreSQL is restored while a server still runs on it: the server ends, and is well once started again."""

import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from cloud_server.fleet.replicas import NOTE_SECONDS
from tests.cloud_server.harness.engines import Outgrown
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess

pytestmark = pytest.mark.system


def test_a_server_on_which_a_dump_is_restored_ends_and_a_new_start_knows_who_was_enrolled_before(
    outgrown: Outgrown, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    """In its memory a device that enrolled after the dump has the row that the next one gets."""
    changes = outgrown.settings(tmp_path / "data")
    database = httpx.URL(changes["database_url"]).path.removeprefix("/")
    with ExitStack() as running:
        server = ServerProcess(tmp_path, **changes)
        running.callback(server.finish)
        server.harness.publish(bundle_folders[1])
        server.harness.assign("digits", 1)
        before = server.harness.enrol("digits")
        outgrown.postgresql.dump(database, tmp_path / "dump")
        after = server.harness.enrol("digits")
        assert after.post(frame(tables(50))).status_code == 200
        time.sleep(NOTE_SECONDS * 2)  # by what the server noted after the dump it sees that the dump is in its place
        outgrown.postgresql.restore(database, tmp_path / "dump")
        assert server.process.wait(60) == 2
        assert "the database was restored" in server.finish()[1]

    with ExitStack() as running:
        again = ServerProcess(tmp_path, **changes)
        running.callback(again.kill)
        there = again.harness.client("device", headers={"authorization": f"Bearer {before.token}"})
        assert there.get("/v1/assignment").status_code == 200
        unknown = again.harness.client("device", headers={"authorization": f"Bearer {after.token}"})
        assert unknown.get("/v1/assignment").status_code == 401
        assert again.harness.enrol("digits").post(frame(tables(50), 1)).status_code == 200
