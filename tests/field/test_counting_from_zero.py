"""A camera that forgot how far it had counted: its disk comes from an image, or it lost its spool and kept its name."""

import shutil
from collections.abc import Callable, Iterator
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


def lose_the_disk(state: Path, image: Path) -> None:
    """Everything since the enrolment is gone: the device counts from 1 again."""
    shutil.rmtree(state)
    shutil.copytree(image, state)


def lose_spool_and_update_record(state: Path, _image: Path) -> None:
    """The two files that a camera writes all the time are gone; who it is stays."""
    files = [StateDirectory(state).update_state_file, *state.glob(f"{StateDirectory(state).spool_file.name}*")]
    assert all(file.exists() for file in files)
    for file in files:
        file.unlink()


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("lose", [lose_the_disk, lose_spool_and_update_record])
def test_a_camera_that_lost_its_count_has_every_new_picture_classified_and_gives_no_number_twice(
    server: ServerHarness, tmp_path: Path, lose: Callable[[Path, Path], None], batch: int
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
    before = answered(server, state)
    assert len(before) == 12

    lose(state, image)
    later = write_pictures(tmp_path / "later", 32)
    for index in range(12):  # the pictures from before
        next(later.glob(f"*/{index}.png")).unlink()
    again = sensor(*run, "--source", later, "--count", 20)

    assert again.returncode == 0, again.stderr
    spool = Spool(StateDirectory(state).spool_file, SpoolLimits())
    counters = spool.counters()
    spool.close()
    assert (counters.encoded, counters.acknowledged, counters.refused) == (20, 20, 0)
    is_told = lose is lose_the_disk  # the other one knows that it has counted, and begins where it never was
    assert ("frames-renumbered" in {event["event"] for event in events(again.stderr)}) is is_told
    assert (counters.renumbered >= 1) is is_told
    after = answered(server, state)
    assert before.items() <= after.items(), "what was acknowledged under a number stays its content"
    assert len(after) == len(set(after.values())) == 32


def answered(server: ServerHarness, state: Path) -> dict[int, int]:
    """The digest of each frame of a device that the server has an answer of, by its number."""
    identity = StateDirectory(state).identity()
    assert identity is not None
    with server.database() as database:
        of_device = select(results.c.sequence, results.c.scan_digest).join(devices, devices.c.id == results.c.device_id)
        found = database.execute(of_device.where(devices.c.public_id == identity.enrolment.device_id)).all()
    return {row.sequence: row.scan_digest for row in found}
