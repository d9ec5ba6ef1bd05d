"""Devices that are revoked, restored or deleted: they alone notice."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import httpx
from sqlalchemy import delete, select

from cloud_server.storage.schema import devices
from shared.wire import BATCH_MEDIA_TYPE, ProblemCode
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import wait_until


def revocation(device: Device) -> str:
    """Where a device is revoked and restored."""
    return f"/v1/devices/{device.device_id}/revocation"


def post_batch(device: Device, first: int = 0) -> httpx.Response:
    """Send 32 frames at once."""
    body = batch_with_scans(50, range(32), first).to_bytes()
    return device.http.post("/v1/frames:batch", content=body, headers={"content-type": BATCH_MEDIA_TYPE})


def is_answered(device: Device, status: int) -> bool:
    """Whether the device gets this when it asks for its assignment."""
    return device.http.get("/v1/assignment").status_code == status


def test_a_revoked_device_is_refused_whatever_it_asks_and_a_restored_one_is_let_in(harness: ServerHarness) -> None:
    operator, device, neighbour = harness.client("operator"), harness.enrol("digits"), harness.enrol("digits")
    frame_id = device.post(frame(tables(50))).json()["id"]
    label = {"label": "one", "source": "sensor"}
    assert operator.put(revocation(device)).status_code == 200
    refusals = (
        device.post(frame(tables(50))),
        post_batch(device),
        device.http.get("/v1/assignment"),
        device.http.put(f"/v1/frames/{frame_id}/label", json=label),
        device.http.get("/v2/models/digits"),
    )
    for refused in refusals:
        assert (refused.status_code, refused.json()["code"]) == (401, ProblemCode.INVALID_TOKEN)
        assert "revoked" in refused.json()["detail"]
    assert neighbour.post(frame(tables(50))).status_code == 200
    assert operator.delete(revocation(device)).status_code == 200
    assert device.post(frame(tables(50))).status_code == 200
    assert operator.delete(revocation(device)).json()["revoked_at"] is None


def test_revoking_again_changes_nothing_and_a_list_says_since_when(harness: ServerHarness) -> None:
    operator, device = harness.client("operator"), harness.enrol("digits")
    first, again = operator.put(revocation(device)).json(), operator.put(revocation(device)).json()
    assert first["revoked_at"] is not None and first == again
    assert operator.get(f"/v1/devices/{device.device_id}").json().items() >= first.items()


def test_a_device_that_nobody_enrolled_cannot_be_revoked(harness: ServerHarness) -> None:
    operator = harness.client("operator")
    for ask in (operator.put, operator.delete):
        assert_problem(ask("/v1/devices/nobody/revocation"), 404, ProblemCode.NOT_FOUND)
        assert_problem(ask("/v1/devices/No%00body/revocation"), 400, ProblemCode.BAD_REQUEST)


def test_a_revoked_device_cannot_enrol_with_the_code_that_it_used(harness: ServerHarness) -> None:
    operator, client = harness.client("operator"), harness.client("device")
    wanted = joining(operator.post("/v1/claims", json={"family": "digits"}).json()["claim_code"])
    made = client.post("/v1/devices", json=wanted).json()
    operator.put(f"/v1/devices/{made['device_id']}/revocation")
    refused = client.post("/v1/devices", json=wanted)
    assert_problem(refused, 401, ProblemCode.INVALID_CLAIM)
    assert f"{made['device_id']} is revoked" in refused.json()["detail"], "not: ask for a new code"
    operator.delete(f"/v1/devices/{made['device_id']}/revocation")
    assert client.post("/v1/devices", json=wanted).json() == made


def test_a_revocation_that_another_process_wrote_is_followed_as_is_its_end(harness: ServerHarness) -> None:
    device = harness.enrol("digits")
    is_it = devices.c.public_id == device.device_id
    for revoked_at, status in ((1.0, 401), (None, 200)):
        with harness.database() as database:
            database.execute(devices.update().where(is_it).values(revoked_at=revoked_at))
        wait_until(partial(is_answered, device, status), 20.0)


def test_neighbours_in_a_micro_batch_of_deleted_devices_have_their_answers(harness: ServerHarness) -> None:
    for _ in range(5):
        deleted, kept = ([harness.enrol("digits") for _ in range(4)] for _ in range(2))
        with harness.database() as database:
            names = [device.device_id for device in deleted]
            database.execute(delete(devices).where(devices.c.public_id.in_(names)))
        barrier = Barrier(8)

        def post(device: Device, barrier: Barrier = barrier) -> httpx.Response:
            barrier.wait(30)
            return post_batch(device)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(post, [*deleted, *kept]))
        for answer in answers[:4]:
            assert {row["problem"]["code"] for row in answer.json()["results"]} == {ProblemCode.INVALID_TOKEN}
        for answer in answers[4:]:
            assert [row["match"] for row in answer.json()["results"]] == ["exact"] * 32
        for device in deleted:
            assert_problem(device.post(frame(tables(50))), 401, ProblemCode.INVALID_TOKEN)
        operator = harness.client("operator")
        statuses = [operator.get(f"/v1/devices/{device.device_id}").status_code for device in (*deleted, *kept)]
        assert statuses == [404] * 4 + [200] * 4


def test_a_device_that_gets_a_deleted_ones_row_is_not_mistaken_for_it(harness: ServerHarness) -> None:
    """SQLite gives the number of the last row again once that row is deleted."""
    earlier = harness.enrol("digits")
    harness.client("operator").put(revocation(earlier))
    with harness.database() as database:
        database.execute(delete(devices).where(devices.c.public_id == earlier.device_id))
    later = harness.enrol("digits")
    assert earlier.post(frame(tables(50))).status_code == 401
    assert later.post(frame(tables(50))).status_code == 200
    with harness.database() as database:
        assert database.execute(select(devices).where(devices.c.public_id == later.device_id)).one().revoked_at is None
