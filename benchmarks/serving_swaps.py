"""Hot swaps under constant load: does any request fail, and does memory come back?

A bundle of the zoo is published again and again under the next counter, as the CLI does it, while single frames and
batches of them keep the server's core busy. Every second publish is good: another ONNX file of the same classifier, so
that every answer can still be checked. The others must be refused by name: a corrupt ONNX file, a file that is not the
one its name promises, golden logits that the classifier does not give.

`failed_requests_50_swaps` counts answers that were not 2xx or not the right label, and connections that broke, during
50 publishes. `rss_growth_100_swaps_mb` is the server's resident memory after 100 publishes less that before, once load
and publishes have filled every cache and pool: medians of readings while the load rests. `rss_model_mb` is what one
such classifier keeps, as the server accounts for it.
"""

import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from functools import partial
from itertools import cycle
from pathlib import Path

from benchmarks import record
from benchmarks.bundle_frames import BundleFrames
from benchmarks.load import FIRST_NUMBER, NUMBERS_A_RUN, Generator, Plan, Report, varint
from benchmarks.pinned_server import PinnedServer
from cloud_server.cli.publishing import ModelFolder
from shared.bundle import Bundle, Golden
from shared.errors import RefusedError

FOLDER = record.ROOT / "trainer" / "zoo" / "cifar100-100"
SERVER_CORE, LOAD_CORE = 0, 1
WARM_SWAPS, WARM_ROUNDS_MAX = 6, 30
WARM_REQUESTS = 40_000  # on a machine of two cores, pools and caches were seen to fill for 25,000
STILL_ROUNDS, STILL_MEGABYTES = 3, 1.0  # so many rounds together may add less than this
SWAPS, ALL_SWAPS = 50, 100
SINGLES, BATCHES, BATCH = 6, 2, 16
SEGMENT_SECONDS = 12.0
SWAPPING_SECONDS = 9.0  # of each segment: every publish begins while the load runs
READINGS = 9
REST_SECONDS = 0.1
MEGABYTE = 1e6


class Kind(StrEnum):
    """What is published."""

    GOOD = "good"
    CORRUPT = "corrupt"
    WRONG_HASH = "wrong-hash"
    WRONG_GOLDEN = "wrong-golden"


REFUSALS = {Kind.CORRUPT: "invalid-bundle", Kind.WRONG_HASH: "bad-request", Kind.WRONG_GOLDEN: "invalid-bundle"}
ORDER = (Kind.GOOD, Kind.CORRUPT, Kind.GOOD, Kind.WRONG_HASH, Kind.GOOD, Kind.WRONG_GOLDEN)


def main() -> int:
    """Measure, and print; `benchmarks.serving` records."""
    print(json.dumps(measure(), indent=2))
    return 0


def measure() -> dict[str, float]:
    """The figures of this benchmark."""
    frames = BundleFrames(FOLDER)
    with PinnedServer(SERVER_CORE) as server, tempfile.TemporaryDirectory() as folder:
        publisher = Publisher(server, Path(folder))
        publisher.publish(Kind.GOOD)
        load = Load(server, frames)
        before = warmed_up(server, load, publisher)
        first = load.during(publisher.swaps(SWAPS))
        rest = load.during(publisher.swaps(ALL_SWAPS - SWAPS))
        after = resting_megabytes(server, publisher)
        return {
            "failed_requests_50_swaps": sum(report.failed for report in first),
            "failed_requests_100_swaps": sum(report.failed for report in (*first, *rest)),
            "swapped_requests": sum(sum(report.answers.values()) for report in (*first, *rest)),
            "swap_p99_ms": statistics.median(report.latency_ms["99"] for report in (*first, *rest)),
            "swap_p100_ms": max(report.latency_ms["100"] for report in (*first, *rest)),
            "rss_growth_100_swaps_mb": after - before,
            "rss_model_mb": publisher.model_bytes() / MEGABYTE,
        }


def warmed_up(server: PinnedServer, load: "Load", publisher: "Publisher") -> float:
    """Publish under load until so much was asked and memory stands still; what it is then, in megabytes."""
    readings: list[float] = []
    requests = 0
    while len(readings) < WARM_ROUNDS_MAX:
        reports = load.during(publisher.swaps(WARM_SWAPS))
        requests += sum(sum(report.answers.values()) for report in reports)
        readings.append(resting_megabytes(server, publisher))
        is_still = len(readings) > STILL_ROUNDS and readings[-1] - readings[-1 - STILL_ROUNDS] < STILL_MEGABYTES
        if is_still and requests >= WARM_REQUESTS:
            break
    return readings[-1]


class Publisher:
    """Publishes one bundle after the other, good ones and others."""

    def __init__(self, server: PinnedServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._counter = 0
        self._kinds = cycle(ORDER)

    def swaps(self, count: int) -> Iterator[Callable[[], None]]:
        """So many publishes, each to be called."""
        for kind in (next(self._kinds) for _ in range(count)):
            yield partial(self.publish, kind)

    def publish(self, kind: Kind) -> None:
        """Publish, or be refused as one should be."""
        self._counter += 1
        folder = variant(self._folder / str(self._counter), self._counter, kind)
        try:
            self._server.publish(folder)
        except RefusedError as error:
            if error.code != REFUSALS.get(kind):
                raise
        else:
            if kind in REFUSALS:
                raise RuntimeError(f"a bundle with {kind} was published")

    def model_bytes(self) -> float:
        """What the classifier in service keeps."""
        with closing(self._server.operator()) as client:
            return float(max(row["memory_bytes"] or 0 for row in client.get("/v1/bundles")["bundles"]))


class Load:
    """Singles and batches over connections of their own, segment by segment."""

    def __init__(self, server: PinnedServer, frames: BundleFrames) -> None:
        self._server = server
        tokens = [server.enrol(frames.bundle.family) for _ in range(SINGLES + BATCHES)]
        singles = [frames.singles(token) for token in tokens[:SINGLES]]
        self._clients = (*singles, *(frames.batches(token, BATCH) for token in tokens[SINGLES:]))
        self._first_number = FIRST_NUMBER

    def during(self, jobs: Iterator[Callable[[], None]]) -> list[Report]:
        """Do the jobs while the load runs; what came of the load."""
        reports, job = [], next(jobs, None)
        while job is not None:
            with Generator(self._plan()) as generator:
                began = time.monotonic()
                while job is not None and time.monotonic() < began + SWAPPING_SECONDS:
                    job()
                    job = next(jobs, None)
                reports.append(generator.report())
        return reports

    def _plan(self) -> Plan:
        self._first_number += NUMBERS_A_RUN
        host, port = self._server.device_address
        return Plan(
            host=host,
            port=port,
            clients=self._clients,
            seconds=SEGMENT_SECONDS,
            warm_seconds=0.0,
            first_number=self._first_number,
            core=LOAD_CORE,
        )


def variant(folder: Path, counter: int, kind: Kind) -> ModelFolder:
    """The zoo's bundle under another counter, with an ONNX file of its own, spoilt as `kind` says."""
    folder.mkdir()
    bundle = Bundle.from_bytes((FOLDER / "bundle.json").read_bytes())
    files = {name: (FOLDER / name).read_bytes() for name in bundle.classifier.files}
    files["classifier.onnx"] += _doc_string(f"variant {counter}")
    if kind is Kind.CORRUPT:
        files["classifier.onnx"] = files["classifier.onnx"][: -counter - 4096]
    if kind is Kind.WRONG_GOLDEN:
        files["golden.json"] = _other_logits(files["golden.json"])
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    if kind is Kind.WRONG_HASH:
        digests["classifier.onnx"] = hashlib.sha256(f"variant {counter}".encode()).hexdigest()
    fields = {name: digests[file] for name, file in _FIELDS.items() if file in digests}
    changed = {"counter": counter, "min_counter": 1, "classifier": bundle.classifier.model_copy(update=fields)}
    bundle = bundle.model_copy(update=changed)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return ModelFolder(bundle, bundle.to_bytes(), {digest: folder / name for name, digest in digests.items()})


_FIELDS = {
    "sha256": "classifier.onnx",
    "labels_sha256": "labels.json",
    "golden_sha256": "golden.json",
    "int8_sha256": "classifier-int8.onnx",
}


def resting_megabytes(server: PinnedServer, publisher: Publisher) -> float:
    """Resident memory while nothing is asked of the server, after one swap more: a classifier that goes has its memory,
    and whatever else was freed, given back to the system.
    """
    publisher.publish(Kind.GOOD)
    readings = []
    for _ in range(READINGS):
        time.sleep(REST_SECONDS)
        readings.append(server.resident_bytes() / MEGABYTE)
    return statistics.median(readings)


def _doc_string(text: str) -> bytes:
    """ModelProto's `doc_string` (field 6) once more: parsers keep the last one."""
    return b"\x32" + varint(len(text)) + text.encode()


def _other_logits(golden: bytes) -> bytes:
    read = Golden.from_bytes(golden)
    return read.model_copy(update={"logits": tuple(row[::-1] for row in read.logits)}).to_bytes()


if __name__ == "__main__":
    sys.exit(main())
