"""Whole servers in the field: killed while they store, side by side on one state, and when time is over."""

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from PIL import Image
from sqlalchemy import update

from cloud_server.storage.schema import results, samples
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, jpeg_of, kept, listed, other_than, put_label, review
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import once


def test_a_server_killed_while_it_keeps_frames_shows_none_without_its_file(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    server = ServerProcess(tmp_path, **KEEP_ALL)
    server.harness.publish(bundle_folders[1])
    device = server.harness.enrol("digits")
    for kills in range(1, 4):
        ids = [str(answered(device, seed)["id"]) for seed in range(20)]
        kept(server.harness, ids[0])  # the others are being stored when the server is killed
        server.kill()
        server = ServerProcess(tmp_path, **KEEP_ALL)
        device = at(server.harness, device)
        rows = listed(server.harness)
        assert len(rows) >= kills
        assert ids[0] in {row["frame_id"] for row in rows}
        for row in rows:
            assert Image.open(io.BytesIO(jpeg_of(server.harness, row["frame_id"]).content)).size == (32, 32)
    server.kill()


def at(harness: ServerHarness, device: Device) -> Device:
    """The device, as it posts to this server."""
    twin = Device(harness.client("device"), device.device_id, device.token, "digits", device.next_sequence)
    twin.http.headers["authorization"] = f"Bearer {device.token}"
    return twin


def gone(harness: ServerHarness, path: str) -> httpx.Response | None:
    """The answer to a label, once it is no longer taken."""
    answer = harness.client("operator").put(path, json={"label": "one"})
    return None if answer.status_code == 200 else answer


def test_two_servers_on_one_state_keep_a_frame_once(
    outgrown: Outgrown, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    one_place, other_place = tmp_path / "one", tmp_path / "other"
    with server_in_thread(one_place, outgrown, **KEEP_ALL) as one:
        one.publish(bundle_folders[1])
        device = one.enrol("digits")
        outgrown.share(other_place / "data", with_data=one_place / "data")
        shutil.copytree(one.data / "keys", other_place / "data" / "keys")
        with server_in_thread(other_place, outgrown, **KEEP_ALL) as other:
            other.first_data = one.data
            twin = at(other, device)
            with ThreadPoolExecutor(8) as threads:
                sent = [(each, number) for number in range(10) for each in (device, twin)]
                answers = list(threads.map(lambda what: what[0].post(frame(tables(50), what[1]), what[1]).json(), sent))
            ids = {answer["id"] for answer in answers}
            for frame_id in ids:
                assert kept(one, frame_id) == kept(other, frame_id)
                assert jpeg_of(one, frame_id).content == jpeg_of(other, frame_id).content
            assert sorted(row["frame_id"] for row in listed(other)) == sorted(ids)


def test_when_its_time_is_over_a_frame_is_gone_and_a_late_label_is_told_so(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, engine, **KEEP_ALL) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        old, young = answered(device, 0), answered(device, 1)
        kept(harness, old["id"])
        kept(harness, young["id"])
        review(harness, old["id"], other_than(old["label"]))
        with harness.database() as database:
            database.execute(update(samples).where(samples.c.sequence == 0).values(stored_at=1.0))
            database.execute(update(results).where(results.c.sequence == 0).values(received_at_ns=1))
        harness.believe_clock()
        once(lambda: True if jpeg_of(harness, old["id"]).status_code == 404 else None)
        path = f"/v1/frames/{old['id']}/label"
        late = once(lambda: gone(harness, path))
        assert_problem(late, 404, ProblemCode.NOT_FOUND)
        assert "expired" in late.json()["detail"]
        assert [row["frame_id"] for row in listed(harness)] == [young["id"]]
        assert review(harness, young["id"], young["label"])["stands"] is True


def test_a_device_that_floods_labels_is_slowed_down_and_no_other(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, quota_frames_per_second=0.001, quota_burst_frames=256) as harness:
        harness.publish(bundle_folders[1])
        flood, calm = harness.enrol("digits"), harness.enrol("digits")
        path = f"/v1/frames/{answered(flood)['id']}/label"
        answers = [flood.http.put(path, json={"label": f"l{n}", "source": "sensor"}) for n in range(257)]
        assert [answer.status_code for answer in answers] == [204] * 255 + [429] * 2
        assert_problem(answers[-1], 429, ProblemCode.QUOTA_EXCEEDED)
        assert int(answers[-1].headers["retry-after"]) >= 1
        put_label(calm, answered(calm)["id"], "one")
