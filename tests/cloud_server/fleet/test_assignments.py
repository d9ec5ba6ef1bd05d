"""Ordinary JPEG follows the assignment: publishing moves nobody, assigning does, and a rollback takes it back."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from shared.jpeg import EOI, Stream, inspect
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


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
    server.publish(tmp_path / "floor")
    assert answered_by(device, SENT["ordinary"], "single") == "digits/9"
