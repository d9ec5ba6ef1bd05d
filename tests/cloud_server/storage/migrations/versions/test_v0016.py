"""A server whose database does not know the families' floors: it reads them from the signed lists."""

from pathlib import Path

from sqlalchemy import insert, text

from cloud_server.storage.migrations.versions import v0016
from cloud_server.storage.schema import tuf_families
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.revisions import revise
from tests.cloud_server.harness.server import server_in_thread

UNREADABLE = {"timestamp_version": 1, "renew_at": 1e12, "expires_at": 1e12, "targets_expire_at": 1e12}


def test_the_floors_of_lists_that_were_signed_before_are_known_after(engine: Engine, tmp_path: Path) -> None:
    write_bundle(tmp_path / "3", "digits", 3, tables(50), min_counter=2)
    with server_in_thread(tmp_path / "server", engine) as harness:
        harness.publish(tmp_path / "3")
        with harness.database() as database:
            database.execute(insert(tuf_families), UNREADABLE | {"family": "damaged"})
            database.execute(text("ALTER TABLE tuf_families DROP COLUMN floor"))
            revise(database, v0016)
    with server_in_thread(tmp_path / "server", engine) as harness:
        operator = harness.client("operator")
        floors = [operator.get(f"/v1/tuf/{family}/floor").json()["floor"] for family in ("digits", "damaged", "none")]
    assert floors == [2, 0, 0]
