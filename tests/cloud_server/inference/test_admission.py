"""Who is let in, and what becomes of those who are not: quotas, deadlines, overload, clients that are gone.

The servers here have classifiers that are slow on purpose, so that frames really wait.
"""

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import load
from benchmarks.load import Numbering, Plan, Request, varint
from cloud_server.inference.admission import bounded_wait_seconds
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem, ProblemCode, Retry
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.metrics import grown
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

pytestmark = pytest.mark.stateless

FAMILY = "digits"
SLOW, SLOWER = 100_000, 2_000_000
"""Copies that a classifier makes: about 1 and 20 ms a frame."""
LOAD_MAX_SECONDS = 120.0
TEST_MAX_SECONDS = 250.0
"""Longer than any machine takes; a test that waits this long has failed."""


def slow_folder(folder: Path, copies: int) -> Path:
    write_bundle(folder, FAMILY, 1, tables(50), seed=1, copies=copies)
    return folder


@contextlib.contextmanager
def slow_server(tmp_path: Path, copies: int, **changes: Any) -> Iterator[ServerHarness]:
    """A server with one thread and a slow classifier; on a busy machine frames may wait as long as they must."""
    defaults: dict[str, Any] = {"threads": 1, "batch_max_seconds": 0.01, "wait_max_seconds": TEST_MAX_SECONDS}
    with server_in_thread(tmp_path, **{**defaults, **changes}) as harness:
        harness.publish(slow_folder(tmp_path / "slow", copies))
        assert harness.enrol(FAMILY).post(frame(tables(50))).status_code == 200  # which loads the classifier
        yield harness


def post_head(device: Device, length: int, *more: str, path: str = "/v1/frames", sequence: int = 1) -> bytes:
    """The head of an upload, to be sent by hand."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {device.token}",
        f"DW-Sequence: {sequence}",
        f"Content-Length: {length}",
        *more,
    )
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def read_answer(connection: socket.socket) -> bytes:
    """All that comes until there is a whole answer, or the end."""
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"}"):
        chunk = connection.recv(65536)
        if not chunk:
            break
        received += chunk
    return received


def single_requests(device: Device, count: int = 16) -> tuple[Request, ...]:
    """Uploads of single frames for the load generator."""
    streams = [frame(tables(50), seed) for seed in range(count)]
    head = "POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nDW-Sequence: "
    return tuple(
        Request(
            before=head.format(device.token, len(stream)).encode(),
            after=b"\r\n\r\n" + stream,
            numbering=Numbering.DECIMAL,
        )
        for stream in streams
    )


def batch_request(device: Device, frames: int) -> Request:
    """An upload of a batch for the load generator."""
    scans = [item.scan for item in batch_with_scans(50, range(16)).items]
    prefix = batch_with_scans(50, range(1)).prefix
    items = tuple(BatchItem(load.FIRST_NUMBER + n, 0, scans[n % 16]) for n in range(frames))
    before, _, after = Batch(prefix, items).to_bytes().partition(varint(load.FIRST_NUMBER))
    length = len(before) + len(varint(load.FIRST_NUMBER)) + len(after)
    head = (
        f"POST /v1/frames:batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {device.token}\r\n"
        f"Content-Type: {BATCH_MEDIA_TYPE}\r\nContent-Length: {length}\r\n\r\n"
    )
    return Request(before=head.encode() + before, after=after, numbering=Numbering.VARINT, frames=frames)


def loaded(
    harness: ServerHarness, clients: tuple[tuple[Request, ...], ...], are_enough: Callable[[load.Report], bool]
) -> load.Report:
    """Load the server, a second at a time, until there are enough answers to judge by, however busy the machine is."""
    url, reports = httpx.URL(harness.addresses["device"]), list[load.Report]()

    def are_enough_now() -> bool:
        first_number = load.FIRST_NUMBER + len(reports) * load.NUMBERS_A_RUN
        plan = Plan(host=url.host, port=url.port or 80, clients=clients, seconds=1, first_number=first_number)
        reports.append(load.run(plan))
        return are_enough(in_all(reports))

    wait_until(are_enough_now, LOAD_MAX_SECONDS)
    return in_all(reports)


def in_all(reports: Sequence[load.Report]) -> load.Report:
    """The rounds of one load as one report; its times are those of the last round."""
    counted = {
        "answers": dict(sum((Counter(report.answers) for report in reports), Counter[int]())),
        "by_client": tuple(map(sum, zip(*(report.by_client for report in reports), strict=True))),
        "frames": sum(report.frames for report in reports),
        "wrong": sum(report.wrong for report in reports),
        "resets": sum(report.resets for report in reports),
        "closed": sum(report.closed for report in reports),
    }
    return reports[-1].model_copy(update=counted)


@pytest.mark.parametrize(
    ("timeout_seconds", "expected"), [(None, 10.0), (0.5, 0.5), (10.0, 10.0), (10.001, 10.0), (1e9, 10.0)]
)
def test_a_frame_waits_as_long_as_its_client_says_and_never_longer_than_the_server_lets_it(
    timeout_seconds: float | None, expected: float
) -> None:
    assert bounded_wait_seconds(timeout_seconds, 10.0) == expected


def test_a_device_over_its_quota_is_told_when_to_come_back_and_others_are_not(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, quota_frames_per_second=0.1, quota_burst_frames=256) as harness:
        harness.publish(bundle_folders[1])
        device, other = harness.enrol(FAMILY), harness.enrol(FAMILY)
        first = device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(250)).to_bytes())
        assert first.status_code == 200
        too_many = device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(10), 1000).to_bytes())
        assert_problem(too_many, 429, ProblemCode.QUOTA_EXCEEDED)
        assert too_many.json()["retry"] == Retry.LATER
        assert 30 <= int(too_many.headers["retry-after"]) <= 40  # 4 frames more than there are, one in 10 s
        device.next_sequence = 2000
        assert [device.post(frame(tables(50))).status_code for _ in range(7)] == [200] * 6 + [429]
        assert other.post(frame(tables(50))).status_code == 200
        counted = harness.scrape()
        assert counted.value("dctwire_rejected_frames_total", reason="quota-exceeded") == 10  # each of the batch
        assert counted.value("dctwire_refused_requests_total", reason="quota-exceeded") == 1  # not read, so no frame


def test_a_device_without_quota_is_refused_before_its_body_is_read(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, quota_frames_per_second=0.001, quota_burst_frames=256) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol(FAMILY)
        device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(256)).to_bytes())
        with harness.connect() as connection:
            connection.sendall(post_head(device, 500_000, "Expect: 100-continue"))
            assert read_answer(connection).startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize("timeout", ["0", "-1", "1.5", "soon", "1" * 10, "٣"])
def test_a_timeout_that_is_no_number_of_milliseconds_is_refused(device: Device, timeout: str) -> None:
    answer = device.http.post(
        "/v1/frames",
        content=frame(tables(50)),
        headers=[(b"dw-sequence", b"1"), (b"dw-timeout", timeout.encode())],
    )
    assert_problem(answer, 400, ProblemCode.BAD_REQUEST)


def test_who_does_not_want_to_wait_that_long_is_told_so_in_time_or_at_the_door(tmp_path: Path) -> None:
    with slow_server(tmp_path, SLOWER) as harness:
        busy, hasty = harness.enrol(FAMILY), harness.enrol(FAMILY)
        in_the_queue = hasty.post(frame(tables(50)), headers={"dw-timeout": "1"})
        assert_problem(in_the_queue, 504, ProblemCode.TIMED_OUT)
        assert in_the_queue.headers["retry-after"] == "1"
        with harness.connect() as connection:
            batch = batch_with_scans(50, range(200)).to_bytes()
            connection.sendall(
                post_head(busy, len(batch), f"Content-Type: {BATCH_MEDIA_TYPE}", path="/v1/frames:batch")
            )
            connection.sendall(batch)
            wait_until(lambda: harness.scrape().value("dctwire_queue_depth") > 100)
            at_the_door = hasty.post(frame(tables(50)), headers={"dw-timeout": "100"})
            assert_problem(at_the_door, 503, ProblemCode.QUEUE_FULL)
            assert "frames are waiting" in at_the_door.json()["detail"]
            assert hasty.post(frame(tables(50)), headers={"dw-timeout": "200000"}).status_code == 200


def test_nobody_can_wait_longer_than_the_server_lets_them(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, wait_max_seconds=1e-9) as harness:
        harness.publish(bundle_folders[1])
        answer = harness.enrol(FAMILY).post(frame(tables(50)), headers={"dw-timeout": "200000"})
        assert_problem(answer, 504, ProblemCode.TIMED_OUT)


def test_the_frames_of_a_client_that_is_gone_leave_the_queue_and_what_a_worker_has_is_stored(tmp_path: Path) -> None:
    with slow_server(tmp_path, SLOWER) as harness:
        device = harness.enrol(FAMILY)
        before = harness.scrape()
        batch = batch_with_scans(50, range(200)).to_bytes()
        with harness.connect() as connection:
            connection.sendall(
                post_head(device, len(batch), f"Content-Type: {BATCH_MEDIA_TYPE}", path="/v1/frames:batch")
            )
            connection.sendall(batch)
            wait_until(lambda: harness.scrape().value("dctwire_queue_depth") > 100)
        wait_until(lambda: harness.scrape().value("dctwire_queue_depth") == 0)
        answered = harness.enrol(FAMILY).post(frame(tables(50)))  # behind what a worker still had
        assert answered.status_code == 200
        after = harness.scrape()
        done = after.value("dctwire_frames_total") - before.value("dctwire_frames_total") - 1
        assert 1 <= done < 200
        assert grown(before, after, "dctwire_refused_requests_total", reason="disconnected") == 1
        assert grown(before, after, "dctwire_rejected_frames_total") == 0
        again = device.http.post("/v1/frames:batch", content=batch, timeout=TEST_MAX_SECONDS)
        assert all("label" in result for result in again.json()["results"])
        replayed = harness.scrape().value("dctwire_replayed_frames_total")
        assert replayed == done


def test_who_asks_again_while_the_first_request_is_gone_is_answered(tmp_path: Path) -> None:
    with slow_server(tmp_path, SLOWER) as harness:
        busy, device = harness.enrol(FAMILY), harness.enrol(FAMILY)
        batch = batch_with_scans(50, range(60)).to_bytes()
        data = frame(tables(50))
        with harness.connect() as blocker, harness.connect() as second:
            blocker.sendall(post_head(busy, len(batch), f"Content-Type: {BATCH_MEDIA_TYPE}", path="/v1/frames:batch"))
            blocker.sendall(batch)
            wait_until(lambda: harness.scrape().value("dctwire_queue_depth") > 20)
            with harness.connect() as first:
                for connection in (first, second):
                    connection.sendall(post_head(device, len(data), sequence=7) + data)
                assert answers(harness)  # so both have been read
            second.settimeout(TEST_MAX_SECONDS)
            assert read_answer(second).startswith(b"HTTP/1.1 200 ")


def test_under_overload_some_are_refused_none_is_cut_off_and_what_is_let_in_is_answered(tmp_path: Path) -> None:
    with slow_server(tmp_path, SLOW, queue_max_frames=16) as harness:
        clients = tuple(single_requests(harness.enrol(FAMILY)) for _ in range(64))
        report = loaded(
            harness, clients, lambda so_far: min(so_far.answers.get(status, 0) for status in (200, 503)) > 20
        )
        assert report.resets == 0
        assert report.wrong == 0
        assert report.answers.keys() == {200, 503}
        assert harness.scrape().value("dctwire_refused_requests_total", reason="queue-full") >= report.answers[503]
        assert harness.enrol(FAMILY).post(frame(tables(50))).status_code == 200


def test_a_device_that_posts_large_batches_does_not_starve_single_posts(tmp_path: Path) -> None:
    with slow_server(tmp_path, SLOW, quota_frames_per_second=1e6) as harness:
        greedy = (batch_request(harness.enrol(FAMILY), 256),)
        singles = tuple(single_requests(harness.enrol(FAMILY)) for _ in range(16))
        report = loaded(harness, (greedy, greedy, *singles), lambda so_far: sum(so_far.by_client[2:]) > 16 * 20)
        assert report.failed == 0
        assert min(report.by_client[2:]) > 3 * max(report.by_client[:2])


def test_among_64_equal_clients_each_has_its_share(harness: ServerHarness) -> None:
    clients = tuple(single_requests(harness.enrol(FAMILY)) for _ in range(64))
    report = loaded(harness, clients, lambda so_far: sum(so_far.by_client) > 64 * 20)
    assert report.failed == report.closed == 0
    assert min(report.by_client) * 3 >= max(report.by_client)


def test_bodies_of_all_requests_together_are_bounded_and_room_comes_back(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, bodies_max_bytes=1 << 20) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol(FAMILY)
        with harness.connect() as first, harness.connect() as second:
            first.sendall(post_head(device, 900_000) + b"x" * 800_000)
            wait_until(lambda: refused_at_the_door(harness, device))
            second.sendall(post_head(device, 300_000, "Expect: 100-continue", sequence=2))
            assert read_answer(second).startswith(b"HTTP/1.1 503 ")
            assert device.post(frame(tables(50)), 3).status_code == 200  # there is still room for small ones
        wait_until(lambda: not refused_at_the_door(harness, device))
        assert device.post(frame(tables(50)), 4).status_code == 200


def refused_at_the_door(harness: ServerHarness, device: Device) -> bool:
    """Whether a body of 300 KB would be refused; it is never sent."""
    with harness.connect() as connection:
        connection.sendall(post_head(device, 300_000, "Expect: 100-continue"))
        return connection.recv(100).startswith(b"HTTP/1.1 503 ")


def test_one_connection_too_many_is_told_so_before_it_asks(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, connections_max=8) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol(FAMILY)
        with contextlib.ExitStack() as stack:
            assert device.post(frame(tables(50))).status_code == 200
            held = [stack.enter_context(harness.connect()) for _ in range(8)]  # the first takes the device's place
            for connection in held:
                connection.sendall(b"GET")  # a request is under way on each, so that none makes room
            with harness.connect() as ninth:
                ninth.sendall(post_head(device, 10) + b"x" * 10)
                answer = b"".join(iter(lambda: ninth.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in answer
            assert b'"code":"queue-full"' in answer
            assert harness.scrape().value("dctwire_refused_connections_total") == 1
            held[0].close()
            wait_until(lambda: answers(harness))
        assert device.post(frame(tables(50))).status_code == 200


def answers(harness: ServerHarness) -> bool:
    """Whether a new connection is served."""
    with harness.connect() as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.1 404 ")
