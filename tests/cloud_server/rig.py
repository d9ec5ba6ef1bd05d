"""What the server's tests stand on: tiny real classifiers, real bundle folders, real servers on loopback."""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import uvloop
from onnx import TensorProto, helper, numpy_helper
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection

from cloud_server.app import System
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, initialise_trust, publish_folder
from cloud_server.settings import ServerSettings
from cloud_server.state import engine_of
from shared.bundle import (
    GOLDEN_LOGITS_MAX,
    GOLDEN_NAME,
    INT8_NAME,
    LABELS_NAME,
    MODEL_NAME,
    Bundle,
    ClassifierRef,
    EncoderSettings,
    Encoding,
    Expected,
    Golden,
    InputGeometry,
    Selftest,
    selftest_sha256,
)
from shared.jpeg import EOI, Encoder, Sampling, Stream, TableSet
from shared.wire import PROBLEM_MEDIA_TYPE, Batch, BatchItem, ProblemCode
from tests.cloud_server.engines import Embedded, Engine

LABELS = ("zero", "one", "two", "three", "four")
SIDE = 32
EMBEDDED = Embedded()
Pixels = npt.NDArray[np.uint8]


def write_classifier(
    path: Path, *, seed: int = 0, side: int = SIDE, classes: int = len(LABELS), copies: int = 1
) -> None:
    """An ONNX file with the product's inputs and output: block means of y and c, times random weights.

    Args:
        copies: how many of the logits are made, and their mean given: a million take some 20 ms a frame.
    """
    rng = np.random.default_rng(seed)
    weights = numpy_helper.from_array(rng.normal(0, 1, (192, classes)).astype(np.float32), "weights")
    bias = numpy_helper.from_array(rng.normal(0, 1, classes).astype(np.float32), "bias")
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    last = numpy_helper.from_array(np.array([2]), "last")
    repeats = numpy_helper.from_array(np.array([1, 1, copies]), "repeats")
    nodes = [
        helper.make_node("Cast", ["y"], ["y32"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["c"], ["c32"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["y32", "axes"], ["ym"], keepdims=0),
        helper.make_node("ReduceMean", ["c32", "axes"], ["cm"], keepdims=0),
        helper.make_node("Concat", ["ym", "cm"], ["means"], axis=1),
        helper.make_node("Gemm", ["means", "weights", "bias"], ["each"]),
        helper.make_node("Unsqueeze", ["each", "last"], ["column"]),
        helper.make_node("Tile", ["column", "repeats"], ["copies"]),
        helper.make_node("ReduceMean", ["copies", "last"], ["logits"], keepdims=0),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.INT16, ["N", 64, side // 8, side // 8])
    c = helper.make_tensor_value_info("c", TensorProto.INT16, ["N", 128, side // 16, side // 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])
    graph = helper.make_graph(nodes, "tiny", [y, c], [logits], [weights, bias, axes, last, repeats])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)


def expected_label(
    seed: int,
    tables: TableSet,
    pixels: Pixels,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
) -> str:
    """What `write_classifier(seed=seed)` says of a picture (h, w, 3) encoded like this, worked out in numpy."""
    y, c = Encoding(tables, settings).encoder().quantise_batch(pixels[None])
    assert c is not None
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(0, 1, (192, len(LABELS))), rng.normal(0, 1, len(LABELS))
    means = np.concatenate([y.mean((2, 3)), c.mean((2, 3))], axis=1)
    return LABELS[int((means @ weights + bias).argmax())]


def write_bundle(
    folder: Path,
    family: str,
    counter: int,
    tables: TableSet,
    *,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
    seed: int = 0,
    side: int = SIDE,
    min_counter: int = 1,
    copies: int = 1,
) -> Bundle:
    """A bundle folder as the trainer exports it; `copies` makes its classifier slow."""
    folder.mkdir(parents=True)
    write_classifier(folder / "classifier.onnx", seed=seed, side=side, copies=copies)
    (folder / "labels.json").write_text(json.dumps(LABELS))
    write_golden(folder, Encoding(tables, settings), side)
    bundle = Bundle(
        family=family,
        counter=counter,
        min_counter=min_counter,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        input=InputGeometry(width=side, height=side),
        tables=tables,
        settings=settings,
        classifier=classifier_ref(folder),
        expected=Expected(bytes_p50=200, bytes_p95=300, accuracy=0.5, n=10, data="noise"),
        selftest=Selftest(seed=1, sha256=selftest_sha256(Encoding(tables, settings), side, side, 1)),
    )
    (folder / "bundle.json").write_bytes(bundle.to_bytes())
    return bundle


def write_golden(folder: Path, encoding: Encoding, side: int = SIDE, frames: int = 24) -> Golden:
    """golden.json of pictures 1000 onwards: what the folder's classifier.onnx really says of their frames."""
    pixels = np.stack([picture(1000 + seed, side) for seed in range(frames)])
    y, c = encoding.encoder().quantise_batch(pixels)
    session = onnxruntime.InferenceSession(str(folder / "classifier.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(("logits",), {"y": y, "c": c})
    golden = Golden(
        frames=tuple(encoding.encoder().encode_batch(pixels, Stream.ABBREVIATED)),
        truth=tuple(logits.argmax(1).tolist()),
        logits=tuple(map(tuple, logits[:GOLDEN_LOGITS_MAX].tolist())),
    )
    (folder / "golden.json").write_bytes(golden.to_bytes())
    return golden


def classifier_ref(folder: Path) -> ClassifierRef:
    """The digests of a folder's files as they are now."""
    names = (MODEL_NAME, LABELS_NAME, GOLDEN_NAME, INT8_NAME)
    model, labels, golden, int8 = (_digest(folder / name) for name in names)
    return ClassifierRef.model_validate(
        {"sha256": model, "labels_sha256": labels, "golden_sha256": golden, "int8_sha256": int8}
    )


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def picture(seed: int, side: int = SIDE) -> Pixels:
    """A smooth colourful picture, uint8 RGB (side, side, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.float64)
    return np.clip(
        np.kron(coarse, np.ones((side // 4, side // 4, 1))) + rng.normal(0, 6, (side, side, 3)), 0, 255
    ).astype(np.uint8)


def frame(tables: TableSet, seed: int = 0, stream: Stream = Stream.ABBREVIATED, side: int = SIDE) -> bytes:
    """A JPEG of `picture(seed)`."""
    return Encoder(tables).encode(picture(seed, side), stream)


def tables(quality: float) -> TableSet:
    """Standard 4:2:0 tables."""
    return TableSet.standard(quality, Sampling.YUV420)


def batch_with_scans(quality: float, seeds: range, first_sequence: int = 0) -> Batch:
    """A batch of abbreviated frames of the pictures with these seeds."""
    scans = [frame(tables(quality), seed, Stream.SCAN) for seed in seeds]
    first = frame(tables(quality), seeds[0])
    prefix = first[: -len(scans[0] + EOI)]
    return Batch(prefix, tuple(BatchItem(first_sequence + n, 1_700_000_000_000, scan) for n, scan in enumerate(scans)))


@dataclass(frozen=True)
class Scrape:
    """One reading of /metrics: value by sample name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that carry these labels."""
        wanted = set(labels.items())
        return sum(value for (sample, has), value in self.samples.items() if sample == name and wanted <= has)


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    """How much a counter grew."""
    return after.value(name, **labels) - before.value(name, **labels)


def assert_problem(answer: httpx.Response, status: int, code: ProblemCode) -> None:
    """The answer is this problem, whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "code", "retry", "instance"}
    assert problem["instance"].startswith("urn:dctwire:request:")
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"] == code.summary
    assert problem["detail"]


@dataclass
class Device:
    """An enrolled device with an HTTP client of its own."""

    http: httpx.Client
    device_id: str
    token: str
    family: str
    next_sequence: int = 0

    def post(self, data: bytes, sequence: int | None = None, **headers: str) -> httpx.Response:
        """Upload one frame; without a number, the next one."""
        if sequence is None:
            sequence, self.next_sequence = self.next_sequence, self.next_sequence + 1
        return self.http.post(
            "/v1/frames", content=data, headers={"dw-sequence": str(sequence), "content-type": "image/jpeg"} | headers
        )


@dataclass
class Rig:
    """A running server, its operator's keys, and ways in."""

    data: Path
    keys: Path
    addresses: dict[str, str]
    engine: Engine = field(default_factory=Embedded)
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, plane: str, **arguments: Any) -> httpx.Client:
        """A client of one plane; closed with the rig."""
        client = httpx.Client(base_url=self.addresses[plane], timeout=30, **arguments)
        self.clients.append(client)
        return client

    def connect(self) -> socket.socket:
        """A raw connection to the device plane."""
        url = httpx.URL(self.addresses["device"])
        return socket.create_connection((url.host, url.port or 80), timeout=30)

    def enrol(self, family: str) -> Device:
        """Claim and enrol a device."""
        claim = self.client("operator").post("/v1/claims", json={"family": family}).json()
        http = self.client("device")
        made = http.post("/v1/devices", json={"claim_code": claim["claim_code"]}).json()
        http.headers["authorization"] = f"Bearer {made['token']}"
        return Device(http, made["device_id"], made["token"], made["family"])

    def publish(self, folder: Path) -> None:
        """Publish a bundle folder as the CLI does."""
        client = OperatorClient(self.addresses["operator"])
        with contextlib.closing(client):
            publish_folder(client, ModelFolder.read(folder), self.keys, datetime.now(UTC), lambda _step: None)

    def assign(self, family: str, counter: int) -> int:
        """Assign a bundle; returns the number."""
        answer = self.client("operator").post("/v1/assignments", json={"family": family, "counter": counter})
        return int(answer.json()["seq"])

    @contextlib.contextmanager
    def database(self) -> Iterator[Connection]:
        """A transaction of our own in the server's database, as another process has it."""
        connector = engine_of(settings(self.data, **self.engine.settings(self.data)))
        try:
            with connector.begin() as connection:
                yield connection
        finally:
            connector.dispose()

    def scrape(self) -> Scrape:
        """Read /metrics."""
        text = self.client("ops").get("/metrics").text
        return Scrape(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for metric in text_string_to_metric_families(text)
                for sample in metric.samples
            }
        )

    def close(self) -> None:
        """Close every client."""
        for client in self.clients:
            client.close()


FREE_PORTS = {"device_host": "127.0.0.1", "device_port": 0, "operator_port": 0, "ops_port": 0}


def settings(data: Path, **changes: Any) -> ServerSettings:
    """Settings for a server on free loopback ports."""
    return ServerSettings(**{"data": data, "threads": 2, **FREE_PORTS, "drain_delay_seconds": 0, **changes})


@contextlib.contextmanager
def server_in_thread(directory: Path, engine: Engine = EMBEDDED, **changes: Any) -> Iterator[Rig]:
    """A server in this process, on an event loop of its own, over real sockets, files and engines."""
    data, keys = directory / "data", directory / "keys"
    if not data.exists():
        initialise_trust(keys, data, datetime.now(UTC))
    ready, stop = threading.Event(), threading.Event()
    started: list[dict[str, str]] = []

    async def serve() -> None:
        system = System(settings(data, **engine.settings(data), **changes), asyncio.get_running_loop())
        async with system.running():
            started.append(system.addresses())
            ready.set()
            await asyncio.to_thread(stop.wait)

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: uvloop.run(serve()))
        running.add_done_callback(lambda _: ready.set())
        ready.wait(60)
        if not started:
            running.result()
        rig = Rig(data, keys, started[0], engine)
        try:
            yield rig
        finally:
            rig.close()
            stop.set()
            running.result(60)


class ServerProcess:
    """`dctwire-server run` as a process of its own, to be stopped or killed; `changes` are made to its settings."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        data, keys = directory / "data", directory / "keys"
        if not data.exists():
            initialise_trust(keys, data, datetime.now(UTC))
        command = [sys.executable, "-c", "from cloud_server.command import main; main()", "run", "--data", str(data)]
        changed = {**FREE_PORTS, "drain_delay_seconds": 0, **changes}
        environment = {f"DCTWIRE_SERVER_{name.upper()}": str(value) for name, value in changed.items()}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.finish()[1])
        self.rig = Rig(data, keys, json.loads(line))

    def kill(self) -> None:
        """SIGKILL, now."""
        self.process.kill()
        self.finish()

    def terminate(self) -> int:
        """SIGTERM, and the exit status once it has drained."""
        self.process.terminate()
        self.finish()
        return self.process.returncode

    def await_event(self, event: str) -> None:
        """Read the log up to a line of this event."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if json.loads(line)["event"] == event:
                return
        raise AssertionError(f"the log ends without {event}")

    def finish(self) -> tuple[str, str]:
        """Wait for the end and close the pipes."""
        if hasattr(self, "rig"):
            self.rig.close()
        return self.process.communicate(timeout=60)


def gained(rig: Rig, before: Scrape, name: str, **labels: str) -> float:
    """How much a metric grew."""
    return rig.scrape().value(name, **labels) - before.value(name, **labels)
