"""Two server processes on one PostgreSQL and one S3 store behave as one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from cloud_server.cli.publishing import initialise_trust
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.engines import Outgrown
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import wait_until

pytestmark = pytest.mark.system

PICKED_UP_SECONDS = 20.0


@dataclass
class Pair:
    """Two replicas; bundle digits/1 is published and assigned."""

    one: ServerHarness
    other: ServerHarness

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
    other.harness.keys = one.harness.keys
    one.harness.publish(bundle_folders[1])
    one.harness.assign("digits", 1)
    yield Pair(one.harness, other.harness)
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


def test_a_bundle_published_at_one_is_served_by_the_other_at_once_and_assigned_everywhere(
    pair: Pair, bundle_folders: dict[int, Path]
) -> None:
    device = pair.at_other(pair.one.enrol("digits"))
    pair.one.publish(bundle_folders[2])
    assert device.post(frame(tables(25))).json()["model"] == "digits/2"
    seq = pair.other.assign("digits", 2)
    assert device.http.get("/v1/assignment").json()["seq"] == seq
    wait_until(lambda: _assignment(pair.one, device) == seq, PICKED_UP_SECONDS)
    files = [harness.client("device").get("/tuf/metadata/timestamp.json").content for harness in (pair.one, pair.other)]
    assert files[0] == files[1]


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
