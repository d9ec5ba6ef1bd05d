"""A server whose database knows no companions: what it answered before were frames, and stay frames."""

from pathlib import Path

from sqlalchemy import text

from cloud_server.storage.migrations.versions import v0018
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import answered, put_label
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.revisions import revise
from tests.cloud_server.harness.server import server_in_thread


def test_a_frame_that_was_answered_before_has_its_answer_and_can_be_labelled(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, engine) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        answer = answered(device)
        with harness.database() as database:
            database.execute(text("DROP INDEX results_of_companions"))  # of a later revision
            for column in ("kind", "companion_of"):
                database.execute(text(f"ALTER TABLE results DROP COLUMN {column}"))
            revise(database, v0018)
    with server_in_thread(tmp_path, engine) as harness:
        twin = Device(harness.client("device"), device.device_id, device.token, "digits")
        twin.http.headers["authorization"] = f"Bearer {device.token}"
        assert answered(twin) == answer
        put_label(twin, answer["id"], "one")
        companion = {"dw-kind": "probe", "dw-companion-of": "0"}
        assert twin.post(frame(tables(50), 1), headers=companion).status_code == 200
