"""What a scrape of /metrics costs: a real server with 10,000 devices and 20 versions, over loopback.

Each version was published, and has answered frames and companions, so that every series is there that it gets. The
devices lie in the database: spread over the versions, some silent, some with heartbeats of thirty programs. `n` is the
number of scrapes of each kind, after a few that are not counted.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import httpx
from sqlalchemy import insert

from benchmarks import record
from benchmarks.pinned_server import PinnedServer
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.schema import devices, heartbeats
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import frame, tables

FAMILY, DEVICES, VERSIONS, PROGRAMS = "digits", 10_000, 20, 30
LIMIT_SECONDS, LIMIT_BYTES = 0.050, 500_000
_UNCOUNTED = 10
_DAY = 86_400.0


def main() -> None:
    """Measure, tell, and write the record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scrapes", type=int, default=300, help="of each kind")
    options.add_argument("--out", action="store_true", help="write benchmarks/results/scrape.json")
    chosen = options.parse_args()
    figures = measure(chosen.scrapes)
    for name, value in figures.items():
        print(f"{name:24} {value:12.6g}")
    print(f"limits: {LIMIT_SECONDS} s at the median, {LIMIT_BYTES} bytes")
    if chosen.out:
        record.write("scrape", chosen.scrapes, figures, f"{DEVICES} devices, {VERSIONS} versions, loopback, one core")


def measure(scrapes: int) -> dict[str, float]:
    """The figures: seconds and bytes of a scrape, plain and compressed."""
    with tempfile.TemporaryDirectory() as folder, PinnedServer(0, prepare=_fill) as server:
        _work(server, Path(folder))
        address = f"{server.addresses['ops']}/metrics"
        with httpx.Client(timeout=30) as client:
            series = sum(not line.startswith("#") for line in client.get(address).text.splitlines())
            figures = {"series": float(series)}
            for name, coding in (("plain", "identity"), ("gzip", "gzip")):
                before = server.cpu_seconds()
                seconds, size = _scrape(client, address, coding, scrapes)
                figures[f"seconds_p50_{name}"] = median(seconds)
                figures[f"seconds_p99_{name}"] = sorted(seconds)[int(0.99 * len(seconds))]
                figures[f"cpu_seconds_{name}"] = (server.cpu_seconds() - before) / (scrapes + _UNCOUNTED)
                figures[f"bytes_{name}"] = float(size)
            return figures


def _scrape(client: httpx.Client, address: str, coding: str, scrapes: int) -> tuple[Sequence[float], int]:
    """Seconds of each scrape that counts, and the bytes of the last one's body as sent."""
    seconds, size = [], 0
    for _ in range(_UNCOUNTED + scrapes):
        began = time.perf_counter()
        with client.stream("GET", address, headers={"accept-encoding": coding}) as answer:
            size = sum(map(len, answer.iter_raw()))
        seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200
    return seconds[_UNCOUNTED:], size


def _fill(_keys: Path, data: Path) -> None:
    """Lay out the devices, before the server starts."""
    engine, now = open_engine(None, data, 60.0), time.time()
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(insert(devices), [_device(number, now) for number in range(1, DEVICES + 1)])
        connection.execute(insert(heartbeats), [_heartbeat(number, now) for number in range(1, DEVICES + 1)])
    engine.dispose()


def _device(number: int, now: float) -> dict[str, object]:
    return {
        "id": number,
        "public_id": f"{number:016}",
        "family": FAMILY,
        "token_sha256": number.to_bytes(32, "big"),
        "enrolled_at": now - 30 * _DAY,
        "last_seen_at": now - (number % 10) * _DAY,
        "last_tables": f"v{1 + number % VERSIONS}",
    }


def _heartbeat(number: int, now: float) -> dict[str, object]:
    return {
        "device_id": number,
        "received_at": now - (number % 3) * _DAY,
        "program": f"1.{number % PROGRAMS}.0",
        "outcome": "confirmed",
        "is_stale": False,
        "boots": "[]",
        "document": "{}",
    }


def _work(server: PinnedServer, folder: Path) -> None:
    """Publish every version, and have frames, ordinary JPEG and companions of each answered, and some refused."""
    for version in range(1, VERSIONS + 1):
        write_bundle(folder / f"v{version}", FAMILY, version, tables(30 + 2 * version), seed=version)
        server.publish(folder / f"v{version}")
        server.assign(FAMILY, version)
    headers = {"authorization": f"Bearer {server.enrol(FAMILY)}", "content-type": "image/jpeg"}
    with httpx.Client(base_url=server.addresses["device"], headers=headers, timeout=60) as device:
        for version in range(1, VERSIONS + 1):
            for seed in range(5):
                number = str(1000 * version + 2 * seed)
                data = frame(tables(30 + 2 * version), seed)
                device.post("/v1/frames", content=data, headers={"dw-sequence": number}).raise_for_status()
                companion = {"dw-sequence": str(int(number) + 1), "dw-kind": "probe", "dw-companion-of": number}
                device.post("/v1/frames", content=data, headers=companion).raise_for_status()
        device.post("/v1/frames", content=b"no JPEG", headers={"dw-sequence": "99999"})


if __name__ == "__main__":
    main()
