"""Ordinary JPEG follows the assignment: publishing moves nobody, assigning does, and a rollback takes it back."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cloud_server.fleet.exposure import Reach
from cloud_server.registry.floor import Falling
from shared.jpeg import EOI, Stream, inspect
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.rollouts import begun, ended
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until


def ordinary() -> bytes:
    """A JPEG as anybody's camera makes it, with tables that no bundle has."""
    out = io.BytesIO()
    Image.fromarray(picture(3)).save(out, "JPEG", quality=83)
    return out.getvalue()


SENT = {
    "ordinary": ordinary(),
    "of steps that two bundles share": frame(tables(50), 3, Stream.INTERCHANGE),
    "abbreviated": frame(tables(50), 3),
}
WAYS = ("single", "batch", "inference")
FOLLOWED_SECONDS = 60.0
"""Within a second, on a machine that has nothing else to do."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server with bundles 1 to 4 to publish: 1, 2 and 4 have the same tables."""
    for counter in (1, 2, 3, 4):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(25 if counter == 3 else 50), seed=counter)
    with server_in_thread(tmp_path / "server") as harness:
        harness.publish(tmp_path / "1")
        yield harness


def answered_by(device: Device, data: bytes, way: str) -> str:
    """The model that answers a frame, however it is sent."""
    if way == "inference":
        element = base64.b64encode(data).decode()
        body = {"inputs": [{"name": "frame", "shape": [1], "datatype": "BYTES", "data": [element]}]}
        answer = device.http.post("/v2/models/digits/infer", json=body).json()
        return f"digits/{answer['model_version']}"
    if way == "single":
        return str(device.post(data).json()["model"])
    device.next_sequence += 1
    size = inspect(data).scan_bytes
    prefix, scan = data[: len(data) - size - len(EOI)], data[len(data) - size - len(EOI) : -len(EOI)]
    batch = Batch(prefix, (BatchItem(device.next_sequence - 1, 0, scan),))
    headers = {"content-type": BATCH_MEDIA_TYPE}
    answer = device.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers).json()
    return str(answer["results"][0]["model"])


@pytest.mark.parametrize("is_assigned", [True, False])
def test_publishing_moves_nobody_and_an_assignment_moves_everybody_there_and_back(
    server: ServerHarness, tmp_path: Path, is_assigned: bool
) -> None:
    if is_assigned:
        server.assign("digits", 1)
    device = server.enrol("digits")

    def all_by() -> set[str]:
        return {answered_by(device, data, way) for data in SENT.values() for way in WAYS}

    for counter in (1, 2, 3, 4):
        if counter > 1:
            server.publish(tmp_path / str(counter))
        assert all_by() == {"digits/1"}
    for counter in (2, 4, 1):
        server.assign("digits", counter)
        assert all_by() == {f"digits/{counter}"}
    server.assign("digits", 3)
    assert {answered_by(device, SENT["ordinary"], way) for way in WAYS} == {"digits/3"}
    shared = {answered_by(device, SENT[name], way) for name in SENT if name != "ordinary" for way in WAYS}
    assert shared == {"digits/2"}, "the latest of those with these steps that is no later than the assigned one"


def test_without_an_assignment_a_floor_moves_what_is_below_it(server: ServerHarness, tmp_path: Path) -> None:
    device = server.enrol("digits")
    write_bundle(tmp_path / "floor", "digits", 9, tables(60), seed=9, min_counter=9)
    server.publish(tmp_path / "floor", falling=Falling.EVERYTHING)
    assert answered_by(device, SENT["ordinary"], "single") == "digits/9"


def test_a_rollout_of_a_classifier_alone_moves_exposed_devices_to_its_answers_and_back(
    server: ServerHarness, tmp_path: Path
) -> None:
    """Bundles 1 and 2 have the same tables, so that nothing but the assignment says who answers."""
    server.publish(tmp_path / "2")
    seq = server.assign("digits", 1)
    canary, neighbour, pinned = (server.enrol("digits") for _ in range(3))
    operator = server.client("operator")
    for device in (canary, pinned):
        operator.post(f"/v1/devices/{device.device_id}/tags", json={"add": ["roof"]})
    operator.put(f"/v1/devices/{pinned.device_id}/pin", json={"counter": 1})

    def told(device: Device) -> int:
        return int(device.http.get("/v1/assignment").json()["seq"])

    def answers(device: Device) -> set[str]:
        return {answered_by(device, data, way) for data in SENT.values() for way in WAYS}

    with server.database() as database:
        row = begun(database, [Reach(100, frozenset({"roof"}))], now=time.time())
    wait_until(lambda: told(canary) == row.seq, FOLLOWED_SECONDS)
    assert [told(neighbour), told(pinned) == row.seq] == [seq, False]
    assert [answers(device) for device in (canary, neighbour, pinned)] == [{"digits/2"}, {"digits/1"}, {"digits/1"}]
    assert operator.get(f"/v1/devices/{canary.device_id}").json()["assigned"] == 2

    with server.database() as database:
        ended(database, row)
    wait_until(lambda: told(canary) == seq, FOLLOWED_SECONDS)
    assert [answers(device) for device in (canary, neighbour, pinned)] == [{"digits/1"}] * 3
