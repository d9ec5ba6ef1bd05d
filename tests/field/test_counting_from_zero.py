"""A camera that forgot how far it had counted: restored from an image of its disk, or clients that count from 0."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud_server.storage.schema import devices, results
from sensor_client.spool import Spool, SpoolLimits
from sensor_client.state_directory import StateDirectory
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.program import events, sensor


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server with an assigned bundle of family digits."""
    folder = tmp_path_factory.mktemp("server")
    write_bundle(folder / "bundle", "digits", 1, tables(50), seed=1)
    with server_in_thread(folder / "state") as harness:
        harness.publish(folder / "bundle")
        harness.assign("digits", 1)
        yield harness


@pytest.mark.parametrize("batch", [1, 8])
def test_a_camera_restored_from_an_image_of_its_disk_has_every_new_picture_classified(
    server: ServerHarness, tmp_path: Path, batch: int
) -> None:
    state, image = tmp_path / "state", tmp_path / "image"
    claim = server.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
    root = server.keys / "root.json"
    enrolled = sensor(
        "enrol", "--state", state, "--server", server.addresses["device"], "--claim", claim, "--root", root
    )
    assert enrolled.returncode == 0, enrolled.stderr
    shutil.copytree(state, image)
    run = ("run", "--state", state, "--batch", batch, "--exit-when-drained")
    first = write_pictures(tmp_path / "first", 12)
    assert sensor(*run, "--source", first, "--count", 12).returncode == 0

    shutil.rmtree(state)
    shutil.copytree(image, state)
    later = write_pictures(tmp_path / "later", 32)
    for index in range(12):  # the pictures from before
        next(later.glob(f"*/{index}.png")).unlink()
    again = sensor(*run, "--source", later, "--count", 20)

    assert again.returncode == 0, again.stderr
    assert "frames-renumbered" in {event["event"] for event in events(again.stderr)}
    spool = Spool(StateDirectory(state).spool_file, SpoolLimits())
    counters = spool.counters()
    spool.close()
    assert (counters.encoded, counters.acknowledged, counters.refused) == (20, 20, 0)
    assert counters.renumbered >= 1
    identity = StateDirectory(state).identity()
    assert identity is not None
    with server.database() as database:
        of_device = select(results).join(devices, devices.c.id == results.c.device_id)
        rows = database.execute(of_device.where(devices.c.public_id == identity.enrolment.device_id)).all()
    assert len({row.scan_digest for row in rows}) == len(rows) == 32
