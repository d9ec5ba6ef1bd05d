"""Two server processes on one PostgreSQL and one S3 store behave as one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from time import time
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select

from cloud_server.cli.publishing import initialise_trust
from cloud_server.open_storage import engine_of
from cloud_server.storage import schema
from cloud_server.storage.rows import devices as rows
from shared.wire import BATCH_MEDIA_TYPE
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.console import logged_in, stranger
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.engines import Outgrown
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.rollouts import EVERYBODY, begun, new_rollout
from tests.cloud_server.harness.server import ServerHarness, settings
from tests.cloud_server.harness.waiting import wait_until

pytestmark = pytest.mark.system

PICKED_UP_SECONDS = 60.0


@dataclass
class Pair:
    """Two replicas; bundle digits/1 is published and assigned."""

    one: ServerHarness
    other: ServerHarness
    state: dict[str, Any]

    def at_other(self, device: Device) -> Device:
        """The same device, talking to the other replica."""
        http = self.other.client("device", headers={"authorization": f"Bearer {device.token}"})
        return Device(http, device.device_id, device.token, device.family)


@pytest.fixture(scope="module")
def pair(
    outgrown: Outgrown, tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]
) -> Iterator[Pair]:
    """The processes, shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("replicas")
    initialise_trust(folder / "one" / "keys", folder / "one" / "data", datetime.now(UTC))
    (folder / "other" / "data").mkdir(parents=True)
    state = outgrown.settings(folder) | {"keys": folder / "one" / "data" / "keys"}
    one, other = ServerProcess(folder / "one", **state), ServerProcess(folder / "other", **state)
    other.harness.keys, other.harness.first_data = one.harness.keys, one.harness.data
    one.harness.publish(bundle_folders[1])
    one.harness.assign("digits", 1)
    pair = Pair(one.harness, other.harness, state)
    newcomer = pair.at_other(one.harness.enrol("digits"))
    # A replica learns of an assignment a little later.
    wait_until(partial(_is_answered, newcomer, 200), PICKED_UP_SECONDS)
    yield pair
    assert [one.terminate(), other.terminate()] == [0, 0]


def test_a_device_enrolled_at_one_posts_to_the_other_at_once(pair: Pair) -> None:
    device = pair.at_other(pair.one.enrol("digits"))
    answer = device.post(frame(tables(50)))
    assert answer.json()["model"] == "digits/1"
    label = {"label": answer.json()["label"], "source": "human"}
    at_one = pair.one.client("device", headers={"authorization": f"Bearer {device.token}"})
    assert at_one.put(f"/v1/frames/{answer.json()['id']}/label", json=label).status_code == 204


def test_a_frame_sent_to_both_at_once_gets_one_answer(pair: Pair) -> None:
    device = pair.one.enrol("digits")
    twins = [device, pair.at_other(device)]
    with ThreadPoolExecutor(2) as threads:
        for sequence in range(20):
            post = lambda twin, sequence=sequence: twin.post(frame(tables(50), sequence), sequence).json()  # noqa: E731
            one, other = threads.map(post, twins)
            assert one == other, "whoever was stored first is the answer of both"


def test_two_frames_under_one_number_sent_to_both_at_once_get_one_answer_and_one_refusal(pair: Pair) -> None:
    device = pair.one.enrol("digits")
    twins = [device, pair.at_other(device)]
    with ThreadPoolExecutor(2) as threads:
        for sequence in range(20):
            post = lambda twin, sequence=sequence: twin[1].post(frame(tables(50), twin[0]), sequence)  # noqa: E731
            answers = list(threads.map(post, enumerate(twins)))
            assert sorted(answer.status_code for answer in answers) == [200, 409]
            (refused,) = (answer.json() for answer in answers if answer.status_code == 409)
            assert refused["highest_sequence"] == sequence


def test_a_claim_code_used_at_both_at_once_makes_one_device(pair: Pair) -> None:
    for _ in range(5):
        code = pair.one.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
        clients = [pair.one.client("device"), pair.other.client("device")]
        enrol = lambda client, code=code: client.post("/v1/devices", json=joining(code)).status_code  # noqa: E731
        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(enrol, clients)) == [201, 401]


def test_a_claim_code_and_secret_sent_to_both_at_once_and_again_get_one_answer(pair: Pair) -> None:
    for number in range(5):
        code = pair.one.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
        clients = [pair.one.client("device"), pair.other.client("device")] * 2
        wanted = joining(code)
        enrol = lambda client, wanted=wanted: client.post("/v1/devices", json=wanted).json()  # noqa: E731
        with ThreadPoolExecutor(4) as threads:
            first, *again = [*threads.map(enrol, clients), *map(enrol, clients)]
        assert again == [first] * len(again), number
        device = {"authorization": f"Bearer {first['token']}"}
        assert [one.get("/v1/assignment", headers=device).status_code for one in clients] == [200] * len(clients)


def test_a_device_revoked_at_one_is_refused_and_a_restored_one_let_in_by_the_other(pair: Pair) -> None:
    device = pair.one.enrol("digits")
    at_other = pair.at_other(device)
    assert at_other.post(frame(tables(50))).status_code == 200
    operator, path = pair.one.client("operator"), f"/v1/devices/{device.device_id}/revocation"
    for revoke_or_restore, status in ((operator.put, 401), (operator.delete, 200)):
        assert revoke_or_restore(path).status_code == 200
        assert device.http.get("/v1/assignment").status_code == status
        wait_until(partial(_is_answered, at_other, status), PICKED_UP_SECONDS)


@pytest.mark.parametrize("fate", ["revoked", "forgotten", "deleted"])
def test_a_device_that_goes_under_load_is_refused_by_both_and_its_neighbours_notice_nothing(
    pair: Pair, fate: str
) -> None:
    """Its frames share micro-batches with its neighbours' the whole time."""
    victim, *neighbours = [pair.one.enrol("digits") for _ in range(4)]
    is_over = Event()

    def post_until_over(device: Device) -> set[int]:
        statuses, first = set(), 0
        while not is_over.is_set():
            body = batch_with_scans(50, range(8), first).to_bytes()
            headers = {"content-type": BATCH_MEDIA_TYPE}
            statuses.add(device.http.post("/v1/frames:batch", content=body, headers=headers).status_code)
            first += 8
        return statuses

    everywhere = [device for one in (victim, *neighbours) for device in (one, pair.at_other(one))]
    with ThreadPoolExecutor(len(everywhere)) as threads:
        posting = [threads.submit(post_until_over, device) for device in everywhere]
        try:
            _send_away(pair, victim, fate)
            for device in (victim, pair.at_other(victim)):
                wait_until(partial(_is_answered, device, 401), PICKED_UP_SECONDS)
        finally:
            is_over.set()
    assert [future.result() for future in posting[2:]] == [{200}] * (2 * len(neighbours))
    assert all(future.result() <= {200, 401} for future in posting[:2])


@contextmanager
def _database(pair: Pair) -> Iterator[Connection]:
    """A transaction in the database of both."""
    connector = engine_of(settings(pair.one.data, **pair.state))
    try:
        with connector.begin() as connection:
            yield connection
    finally:
        connector.dispose()


def _send_away(pair: Pair, device: Device, fate: str) -> None:
    path = f"/v1/devices/{device.device_id}"
    if fate == "revoked":
        assert pair.one.client("operator").put(f"{path}/revocation").status_code == 200
        return
    with _database(pair) as connection:
        row = select(schema.devices.c.id).where(schema.devices.c.public_id == device.device_id).scalar_subquery()
        if fate == "forgotten":
            rows.forget(connection, device.device_id, 1.0)
            return
        ours = select(schema.devices.c.id).where(schema.devices.c.public_id == device.device_id)
        connection.execute(ours.with_for_update())  # no answer is stored between these statements
        connection.execute(delete(schema.spending).where(schema.spending.c.device_id == row))
        connection.execute(delete(schema.results).where(schema.results.c.device_id == row))
        connection.execute(delete(schema.devices).where(schema.devices.c.public_id == device.device_id))


def test_a_bundle_published_at_one_is_served_by_the_other_at_once_and_assigned_everywhere(
    pair: Pair, bundle_folders: dict[int, Path]
) -> None:
    device = pair.at_other(pair.one.enrol("digits"))
    pair.one.publish(bundle_folders[2])
    answer = device.post(frame(tables(25)))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "digits/2"
    seq = pair.other.assign("digits", 2)
    assert device.http.get("/v1/assignment").json()["seq"] == seq
    wait_until(lambda: _assignment(pair.one, device) == seq, PICKED_UP_SECONDS)
    files = [harness.client("device").get("/tuf/digits/timestamp.json").content for harness in (pair.one, pair.other)]
    assert files[0] == files[1]


def test_a_device_that_is_pinned_at_one_is_told_so_by_the_other(pair: Pair, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v9", "digits", 9, tables(45), seed=9)
    pair.one.publish(tmp_path / "v9")
    device = pair.one.enrol("digits")
    path = f"/v1/devices/{device.device_id}/pin"
    before = _assignment(pair.other, device)
    pinned = pair.one.client("operator").put(path, json={"counter": 9}).json()["assignment_seq"]
    wait_until(lambda: _assignment(pair.other, device) == pinned, PICKED_UP_SECONDS)
    pair.other.client("operator").delete(path)
    wait_until(lambda: _assignment(pair.one, device) == before, PICKED_UP_SECONDS)


def test_both_follow_a_rollout_and_what_is_assigned_at_one_ends_it_at_the_other(pair: Pair, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "staged", 1, tables(45), seed=1)
    write_bundle(tmp_path / "v2", "staged", 2, tables(40), seed=2)
    for version in ("v1", "v2"):
        pair.one.publish(tmp_path / version)
    before = pair.one.assign("staged", 1)
    device = pair.one.enrol("staged")
    wait_until(partial(_is_answered, pair.at_other(device), 200), PICKED_UP_SECONDS)
    with _database(pair) as connection:
        row = begun(connection, [EVERYBODY], new=new_rollout("staged22", "staged", 2), now=time())
    for harness in (pair.one, pair.other):
        wait_until(lambda harness=harness: _assignment(harness, device) == row.seq, PICKED_UP_SECONDS)  # type: ignore[misc]
    assert pair.other.assign("staged", 1) == before
    assert _assignment(pair.other, device) == before
    wait_until(lambda: _assignment(pair.one, device) == before, PICKED_UP_SECONDS)


def _is_answered(device: Device, status: int) -> bool:
    return device.http.get("/v1/assignment").status_code == status


def _assignment(harness: ServerHarness, device: Device) -> int:
    headers = {"authorization": f"Bearer {device.token}"}
    return int(harness.client("device", headers=headers).get("/v1/assignment").json()["seq"])


def test_two_operators_who_publish_at_once_both_succeed(pair: Pair, tmp_path: Path) -> None:
    """One of the two has its targets signed again on top of the other's."""
    for family in ("left", "right"):
        write_bundle(tmp_path / family, family, 1, tables(60))
    with ThreadPoolExecutor(2) as threads:
        published = [
            threads.submit(pair.one.publish, tmp_path / "left"),
            threads.submit(pair.other.publish, tmp_path / "right"),
        ]
    assert [one.result() for one in published] == [None, None]
    for harness in (pair.one, pair.other):
        wait_until(partial(_has_both, harness), PICKED_UP_SECONDS)


def _families(harness: ServerHarness) -> set[str]:
    return {row["family"] for row in harness.client("operator").get("/v1/bundles").json()["bundles"]}


def test_unknown_tokens_cannot_hammer_the_database(pair: Pair) -> None:
    with ThreadPoolExecutor(8) as threads:
        client = pair.one.client("device")
        ask = lambda n: client.get("/v1/assignment", headers={"authorization": f"Bearer {n}"})  # noqa: E731
        answers = list(threads.map(ask, range(400)))
    assert {answer.status_code for answer in answers} == {401, 429}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)


def _has_both(harness: ServerHarness) -> bool:
    return {"left", "right"} <= _families(harness)


def test_who_is_logged_in_to_the_console_of_one_is_logged_in_to_the_other(pair: Pair) -> None:
    here, there = logged_in(pair.one), stranger(pair.other)
    assert there.http.get("/console/rollouts").status_code == 303, "nobody is logged in there yet"
    there.http.cookies = here.http.cookies
    assert "Rollouts" in there.get("/rollouts")
    pair.other.assign("digits", 1)
    form = {"bundle": "digits/1", "shape": "standard"}
    answer = there.post("/rollouts/start", form, "/rollouts/start")
    assert "runs v1 already" in answer.text, "forms of the one are good at the other"
