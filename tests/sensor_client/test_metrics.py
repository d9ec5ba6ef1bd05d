"""Prometheus reads what a sensor tells, from a file or at a port, and nobody who asks holds anything up."""

import os
import resource
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sensor_client.budget import Window
from sensor_client.metrics import PERIOD_SECONDS, Facts, MetricsFile, MetricsPort, page
from sensor_client.sources import Condition, SourceReport, Stillness
from sensor_client.spool import Counters, Depth
from sensor_client.traffic import Purpose, Traffic
from tests.sensor_client.fakes import FakeClock
from tests.system_packages import required

FACTS = Facts(
    program='0.1"\\\n',
    depth=Depth(frames=3, frame_bytes=900, labels=0, dead_letters=1, probes=0),
    counters=Counters(captured=10, encoded=9, unreadable=1, acknowledged=6),
    traffic=Traffic(sent={Purpose.FRAMES: 1000}, received={Purpose.FRAMES: 70}, spent={Window.HOUR: 1070}),
    source=SourceReport(condition=Condition.GIVING, since=1.0, last_picture_at=1_700_000_000.25, losses=2),
    encode_seconds=0.0015,
    restarts={"heartbeat": 1},
)


def test_promtool_finds_nothing_to_say_about_the_page() -> None:
    required("promtool")
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=page(FACTS), capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_the_page_says_what_is_so_and_escapes_labels() -> None:
    lines = page(FACTS).splitlines()
    assert r'dctwire_sensor_info{version="0.1\"\\\n"} 1.0' in lines
    assert "dctwire_sensor_spool_frames 3.0" in lines
    assert 'dctwire_sensor_events_total{what="acknowledged"} 6.0' in lines
    assert 'dctwire_sensor_traffic_bytes_total{direction="sent",purpose="frames"} 1000.0' in lines
    assert "dctwire_sensor_source_up 1.0" in lines
    assert "dctwire_sensor_source_last_picture_timestamp_seconds 1700000000.25" in lines
    assert 'dctwire_sensor_part_restarts_total{part="heartbeat"} 1.0' in lines


def test_a_file_is_replaced_now_and_then_and_a_fault_costs_a_page(
    tmp_path: Path, clock: FakeClock, lines: list[dict[str, object]]
) -> None:
    pages = iter(["first", "second"])
    file = MetricsFile(tmp_path / "sensor.prom", lambda: next(pages), clock.monotonic_seconds)

    file.watch()
    file.watch()
    first = (tmp_path / "sensor.prom").read_text()
    for _ in range(3):
        clock.elapsed_seconds += PERIOD_SECONDS
        file.watch()

    assert (first, (tmp_path / "sensor.prom").read_text()) == ("first", "second")
    assert [line["event"] for line in lines] == ["metrics-not-written"]


@pytest.mark.parametrize(
    ("condition", "stillness", "up", "still"),
    [
        (Condition.ENDED, None, 1.0, 0.0),
        (Condition.WAITING, None, 0.0, 0.0),
        (Condition.LOST, None, 0.0, 0.0),
        (Condition.GIVING, Stillness.BLANK, 1.0, 1.0),
    ],
)
def test_a_source_that_has_ended_in_order_is_up_and_one_that_is_lost_is_not(
    condition: Condition, stillness: Stillness | None, up: float, still: float
) -> None:
    source = SourceReport(condition=condition, since=1.0, stillness=stillness)

    lines = page(replace(FACTS, source=source)).splitlines()

    assert f"dctwire_sensor_source_up {up}" in lines and f"dctwire_sensor_source_still {still}" in lines


@pytest.fixture
def port() -> Iterator[MetricsPort]:
    port = MetricsPort("127.0.0.1", 0, lambda: page(FACTS))
    port.start()
    yield port
    port.close()


def test_the_port_answers_get_and_nothing_else(port: MetricsPort) -> None:
    address = f"http://127.0.0.1:{port.port}"
    with urllib.request.urlopen(f"{address}/metrics", timeout=60) as reply:
        assert reply.read().decode() == page(FACTS)
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4"
    for path, data in (("/", None), ("/metrics", b"x")):
        with pytest.raises(urllib.error.HTTPError, match="404") as told:
            urllib.request.urlopen(f"{address}{path}", data, timeout=60)
        told.value.close()


def test_who_asks_and_says_nothing_is_left(port: MetricsPort) -> None:
    with socket.create_connection(("127.0.0.1", port.port)) as silent:
        with socket.create_connection(("127.0.0.1", port.port)) as rubbish:
            rubbish.sendall(b"\x00" * 100)
            assert b"404" in rubbish.recv(100)
        assert silent.recv(100) == b""


def test_what_cannot_be_read_is_told_and_asked_again() -> None:
    def broken() -> str:
        raise RuntimeError("the spool is closed")

    port = MetricsPort("127.0.0.1", 0, broken)
    port.start()
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError, match="503") as told:
            urllib.request.urlopen(f"http://127.0.0.1:{port.port}/metrics", timeout=60)
        told.value.close()
    port.close()


def test_want_of_descriptors_ends_no_port() -> None:
    port = MetricsPort("127.0.0.1", 0, lambda: page(FACTS))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    asker, taken = socket.socket(), list[int]()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (asker.fileno() + 1, limits[1]))
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                taken.append(os.dup(asker.fileno()))  # none is left for accept()
        port.start()
        asker.connect(("127.0.0.1", port.port))
        asker.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        asker.settimeout(0.1)
        with pytest.raises(TimeoutError):
            asker.recv(1)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        asker.settimeout(10)
        assert asker.recv(15) == b"HTTP/1.1 200 OK"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)
        asker.close()
        port.close()


def test_a_source_that_ended_and_was_to_go_on_is_not_up() -> None:
    over = SourceReport(condition=Condition.ENDED, since=1.0, has_broken_off=True)
    assert "dctwire_sensor_source_up 0.0" in page(replace(FACTS, source=over)).splitlines()


def test_an_address_of_ipv6_is_listened_at() -> None:
    port = MetricsPort("::1", 0, lambda: page(FACTS))
    port.start()
    with urllib.request.urlopen(f"http://[::1]:{port.port}/metrics", timeout=60) as reply:
        assert reply.read().decode() == page(FACTS)
    port.close()
