"""Models in a running server: swaps, failures, fallbacks and the memory budget, seen from outside."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest

from shared.bundle import GOLDEN_NAME, LABELS_NAME, MODEL_NAME, Bundle
from shared.errors import RefusedError
from shared.jpeg import Encoder, Sampling, Stream, TableSet
from shared.wire import ProblemCode
from tests.cloud_server.harness.bundles import named_anew, write_bundle, write_golden
from tests.cloud_server.harness.classifiers import LABELS, burden, write_classifier
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.fallbacks import coefficients, write_fallback
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.rollouts import EVERYBODY, begun, new_rollout
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of this test's own."""
    with server_in_thread(tmp_path / "server", wait_max_seconds=30) as harness:
        yield harness


def published(harness: ServerHarness, folder: Path, counter: int, quality: float = 50, seed: int = 0) -> Bundle:
    """A bundle, published."""
    bundle = write_bundle(folder, "digits", counter, tables(quality), seed=seed)
    harness.publish(folder)
    return bundle


def rows(harness: ServerHarness) -> dict[str, dict[str, object]]:
    """What is published, by name."""
    operator = harness.client("operator")
    listed = operator.get("/v1/bundles").json()["bundles"] + operator.get("/v1/fallbacks").json()["fallbacks"]
    return {row["name"]: row for row in listed}


def heavier(folder: Path, bundle: Bundle, width: int) -> None:
    """Give a bundle folder's classifier so many times 192 weights more."""
    burden(folder / MODEL_NAME, width)
    write_golden(folder, bundle.encoding)
    named_anew(folder, bundle)


def said_by_fallback(folder: Path, file: bytes) -> str:
    """What a fallback folder's classifier says of a whole file, asked directly."""
    session = onnxruntime.InferenceSession(str(folder / MODEL_NAME), providers=["CPUExecutionProvider"])
    y, c = coefficients([file])
    (logits,) = session.run(("logits",), {"y": y, "c": c})
    return LABELS[int(logits.argmax())]


def no_onnx(folder: Path) -> None:
    (folder / MODEL_NAME).write_bytes(b"corrupt")


def other_classifier(folder: Path) -> None:
    write_classifier(folder / MODEL_NAME, seed=99)


def other_size(folder: Path) -> None:
    write_classifier(folder / MODEL_NAME, side=64)


def other_files(folder: Path) -> None:
    model = onnx.load(folder / MODEL_NAME)
    onnx.save(model, folder / MODEL_NAME, save_as_external_data=True, size_threshold=0, location="weights.bin")


def other_labels(folder: Path) -> None:
    (folder / LABELS_NAME).write_text('["zero", "one", "two", "three", "many"]')


def no_golden(folder: Path) -> None:
    (folder / GOLDEN_NAME).write_bytes(b"{}")


@pytest.mark.parametrize("spoil", [no_onnx, other_classifier, other_size, other_files, other_labels, no_golden])
def test_a_bundle_that_does_not_load_leaves_everything_as_it_was(
    fresh: ServerHarness, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    published(fresh, tmp_path / "v1", 1, seed=1)
    fresh.assign("digits", 1)
    device = fresh.enrol("digits")
    answer = device.post(frame(tables(50))).json()
    before = rows(fresh), fresh.client("operator").get("/v1/tuf/digits/targets").content
    bundle = write_bundle(tmp_path / "v2", "digits", 2, tables(50), seed=2)
    spoil(tmp_path / "v2")
    named_anew(tmp_path / "v2", bundle)
    with pytest.raises(RefusedError) as caught:
        fresh.publish(tmp_path / "v2")
    assert (caught.value.status, caught.value.code) == (422, ProblemCode.INVALID_BUNDLE)
    assert (rows(fresh), fresh.client("operator").get("/v1/tuf/digits/targets").content) == before
    again = device.post(frame(tables(50))).json()
    assert {key: again[key] for key in ("label", "model", "match")} == {
        key: answer[key] for key in ("label", "model", "match")
    }


def test_swaps_under_load_lose_no_request_and_what_is_neither_assigned_nor_before_that_goes(
    fresh: ServerHarness, tmp_path: Path
) -> None:
    published(fresh, tmp_path / "v1", 1)
    device = fresh.enrol("digits")
    stop, answers = threading.Event(), list[httpx.Response]()

    def load() -> None:
        http = httpx.Client(base_url=device.http.base_url, headers=device.http.headers, timeout=30)
        with http:
            own = Device(http, device.device_id, device.token, device.family)
            while not stop.is_set():
                answers.append(own.post(frame(tables(50)), sequence=len(answers)))

    sender = threading.Thread(target=load)
    sender.start()
    for counter in range(2, 5):
        published(fresh, tmp_path / f"v{counter}", counter, seed=counter)
        fresh.assign("digits", counter)
    stop.set()
    sender.join(60)
    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1].json()["model"] in ("digits/3", "digits/4")
    states = {name: row["state"] for name, row in rows(fresh).items()}
    assert states == {f"digits/{counter}": "loaded" if counter >= 3 else "cold" for counter in range(1, 5)}


def test_more_models_than_memory_are_loaded_as_frames_need_them(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server", wait_max_seconds=30, model_memory_bytes=20 << 20) as harness:
        for counter in (1, 2, 3, 4):
            bundle = write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter), seed=counter)
            heavier(tmp_path / str(counter), bundle, 6_000)
            harness.publish(tmp_path / str(counter))
        device = harness.enrol("digits")
        for counter in (1, 2, 3, 4, 1, 2, 3, 4):
            assert device.post(frame(tables(50 - counter))).json()["model"] == f"digits/{counter}"
        loaded = [row for row in rows(harness).values() if row["state"] == "loaded"]
        assert 0 < len(loaded) < 4
        assert sum(int(str(row["memory_bytes"])) for row in loaded) <= 20 << 20
        scrape = harness.scrape()
        assert scrape.value("dctwire_classifier_evictions_total") >= 4
        assert scrape.value("dctwire_classifier_loads_total", outcome="failed") == 0
        assert scrape.value("dctwire_classifier_bytes") == sum(int(str(row["memory_bytes"])) for row in loaded)


def test_a_model_larger_than_the_budget_is_refused_by_name(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server", model_memory_bytes=4 << 20) as harness:
        bundle = write_bundle(tmp_path / "v1", "digits", 1, tables(50))
        heavier(tmp_path / "v1", bundle, 8_000)
        with pytest.raises(RefusedError, match="model_memory_bytes"):
            harness.publish(tmp_path / "v1")
        assert rows(harness) == {}


def test_what_is_assigned_or_newest_is_loaded_at_start_and_the_rest_within_a_frames_time(tmp_path: Path) -> None:
    for counter in (1, 2, 3):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter))
    with server_in_thread(tmp_path / "server") as harness:
        for counter in (1, 2, 3):
            harness.publish(tmp_path / str(counter))
        harness.assign("digits", 1)
        token = harness.enrol("digits").token
    with server_in_thread(tmp_path / "server", wait_max_seconds=0.0001) as harness:
        states = {name: row["state"] for name, row in rows(harness).items()}
        assert states == {"digits/1": "loaded", "digits/2": "cold", "digits/3": "loaded"}
        client = harness.client("device", headers={"authorization": f"Bearer {token}"})
        answer = client.post("/v1/frames", content=frame(tables(48)), headers={"dw-sequence": "0"})
        assert_problem(answer, 504, ProblemCode.TIMED_OUT)
        assert int(answer.headers["retry-after"]) >= 1


def test_what_a_rollout_leads_to_stays_in_memory_and_is_loaded_at_start(tmp_path: Path) -> None:
    for counter in range(1, 6):
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 - counter))

    def loaded(harness: ServerHarness) -> set[str]:
        return {name for name, row in rows(harness).items() if row["state"] == "loaded"}

    with server_in_thread(tmp_path / "server") as harness:
        for counter in (1, 2, 3):
            harness.publish(tmp_path / str(counter))
        harness.assign("digits", 1)
        device = harness.enrol("digits")
        with harness.database() as database:
            row = begun(database, [EVERYBODY], now=time.time(), new=new_rollout(counter=3))
        wait_until(lambda: device.http.get("/v1/assignment").json()["seq"] == row.seq)
        for counter in (4, 5):
            harness.publish(tmp_path / str(counter))
        both = {"digits/1", "digits/3", "digits/5"}
        assert both <= loaded(harness)
    with server_in_thread(tmp_path / "server") as harness:
        assert loaded(harness) == both


def test_frames_of_unknown_tables_are_read_by_the_fallback(fresh: ServerHarness, tmp_path: Path) -> None:
    published(fresh, tmp_path / "v1", 1, seed=1)
    fallback = write_fallback(tmp_path / "any", "digits", seed=7)
    device = fresh.enrol("digits")
    ordinary = [frame(tables(quality), quality, Stream.INTERCHANGE) for quality in (30, 60, 90)]
    assert {device.post(one).json()["model"] for one in ordinary} == {"digits/1"}
    fresh.publish(tmp_path / "any")
    assert {device.post(one).json()["model"] for one in ordinary} == {"digits/1"}
    fresh.release(fallback.name)
    for one in ordinary:
        answer = device.post(one).json()
        assert (answer["model"], answer["match"]) == (fallback.name, "fallback")
        assert answer["label"] == said_by_fallback(tmp_path / "any", one)
    assert device.post(frame(tables(50))).json()["match"] == "exact"
    assert_problem(device.post(frame(tables(77))), 422, ProblemCode.UNKNOWN_TABLES)


@pytest.mark.parametrize("sampling", [Sampling.YUV444, Sampling.YUV422, Sampling.GREY])
def test_ordinary_files_of_any_sampling_are_read_by_the_fallback(
    fresh: ServerHarness, tmp_path: Path, sampling: Sampling
) -> None:
    fallback = write_fallback(tmp_path / "any", "digits")
    fresh.publish(tmp_path / "any")
    fresh.release(fallback.name)
    file = Encoder(TableSet.standard(85, sampling)).encode(picture(3), Stream.INTERCHANGE)
    answer = fresh.enrol("digits").post(file).json()
    assert (answer["model"], answer["match"]) == (fallback.name, "fallback")
    assert answer["label"] == said_by_fallback(tmp_path / "any", file)


def test_a_frame_without_tables_of_another_size_is_refused_and_told_the_right_one(
    fresh: ServerHarness, tmp_path: Path
) -> None:
    published(fresh, tmp_path / "v1", 1)
    answer = fresh.enrol("digits").post(frame(tables(50), 0, side=64))
    assert_problem(answer, 422, ProblemCode.WRONG_SIZE)
    assert "32x32" in answer.json()["detail"]


def test_fallbacks_are_listed_survive_a_restart_and_the_released_one_serves(engine: Engine, tmp_path: Path) -> None:
    names = []
    with server_in_thread(tmp_path / "server", engine) as harness:
        for day in (3, 2, 1):  # the one of the later date is published first
            folder = tmp_path / f"any{day}"
            made = write_fallback(folder, "digits", seed=day, created_at=datetime(2026, 1, day, tzinfo=UTC))
            names.append(made.name)
            harness.publish(folder)
            harness.publish(folder)  # again, which changes nothing
        harness.release(names[1])
        token = harness.enrol("digits").token
        assert sorted(rows(harness)) == sorted(names)
    with server_in_thread(tmp_path / "server", engine) as harness:
        client = harness.client("device", headers={"authorization": f"Bearer {token}"})
        file = frame(tables(66), 0, Stream.INTERCHANGE)
        answer = client.post("/v1/frames", content=file, headers={"dw-sequence": "0"})
        assert answer.json()["model"] == names[1]
        assert {name: row["state"] for name, row in rows(harness).items()} == {
            names[0]: "cold",
            names[1]: "loaded",
            names[2]: "cold",
        }


def test_a_known_bundle_whose_classifier_is_gone_is_answered_by_the_fallback_and_not_tried_for_each_frame(
    tmp_path: Path,
) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50), seed=1)
    fallback = write_fallback(tmp_path / "any", "digits", seed=7)
    with server_in_thread(tmp_path / "server") as harness:
        harness.publish(tmp_path / "v1")
        harness.publish(tmp_path / "any")
        harness.release(fallback.name)
        token = harness.enrol("digits").token
        gone = str(rows(harness)["digits/1"]["classifier_sha256"])
    (tmp_path / "server" / "data" / "blobs" / gone[:2] / gone).unlink()
    with server_in_thread(tmp_path / "server") as harness:
        client = harness.client("device", headers={"authorization": f"Bearer {token}"})
        answers = [
            client.post("/v1/frames", content=frame(tables(50), number), headers={"dw-sequence": str(number)}).json()
            for number in range(50)
        ]
        assert {(answer["model"], answer["match"]) for answer in answers} == {(fallback.name, "fallback")}
        assert harness.scrape().value("dctwire_classifier_loads_total", outcome="failed") < 10
        assert rows(harness)["digits/1"]["state"] == "failed"
        answer = harness.client("operator").post("/v1/assignments", json={"family": "digits", "counter": 1})
        assert_problem(answer, 409, ProblemCode.CONFLICT)


def test_a_fallback_with_other_labels_is_refused(fresh: ServerHarness, tmp_path: Path) -> None:
    published(fresh, tmp_path / "v1", 1)
    fallback = write_fallback(tmp_path / "any", "digits")
    other_labels(tmp_path / "any")
    changed = fallback.model_copy(update={"classifier": named_anew(tmp_path / "any", _bundle(tmp_path)).classifier})
    (tmp_path / "any" / "bundle.json").unlink()
    (tmp_path / "any" / "fallback.json").write_bytes(changed.to_bytes())
    with pytest.raises(RefusedError, match="other labels"):
        fresh.publish(tmp_path / "any")


def _bundle(folder: Path) -> Bundle:
    return write_bundle(folder / "else", "digits", 9, tables(50))


def test_eight_bits_are_named_where_they_serve(fresh: ServerHarness, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    (tmp_path / "v1" / "classifier-int8.onnx").write_bytes((tmp_path / "v1" / MODEL_NAME).read_bytes())
    heavier(tmp_path / "v1", bundle, 10_000)
    fresh.publish(tmp_path / "v1")
    assert rows(fresh)["digits/1"]["precision"] == "int8"
    assert fresh.scrape().value("dctwire_classifier_bytes", model="digits/1", precision="int8") > 0
    assert np.isclose(fresh.scrape().value("dctwire_classifier_loads_total", outcome="loaded"), 1)


def test_what_one_server_publishes_another_serves(outgrown: Outgrown, tmp_path: Path) -> None:
    """Two servers on one state: which of them an operator or a camera meets makes no difference."""
    fallback = write_fallback(tmp_path / "any", "digits", seed=7)
    with server_in_thread(tmp_path / "one", outgrown) as one:
        for folder in ("keys", "data"):
            shutil.copytree(tmp_path / "one" / folder, tmp_path / "two" / folder, ignore=shutil.ignore_patterns("lock"))
        outgrown.share(tmp_path / "two" / "data", one.data)
        with server_in_thread(tmp_path / "two", outgrown) as two:
            published(one, tmp_path / "v1", 1, seed=1)
            one.publish(tmp_path / "any")
            one.release(fallback.name)
            two.assign("digits", 1)
            device = two.enrol("digits")
            answer = device.post(frame(tables(50))).json()
            assert (answer["model"], answer["match"]) == ("digits/1", "exact")
            other = frame(tables(60), 0, Stream.INTERCHANGE)
            wait_until(lambda: device.post(other).json()["model"] == fallback.name)
            wait_until(lambda: rows(two)[fallback.name]["state"] == "loaded")
            assert {name: row["state"] for name, row in rows(two).items()} == dict.fromkeys(rows(one), "loaded")
