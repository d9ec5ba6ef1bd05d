"""A server under `benchmarks.soak`: its bundles, its devices, and the counts of what went well and what did not."""

import contextlib
import hashlib
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import numpy as np

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, publish_folder
from shared.bundle import Bundle
from shared.errors import RefusedError
from shared.jpeg import Stream

ENTRY = Path(__file__).resolve().parents[1] / "trainer" / "zoo" / "cifar100-100"
FAMILY = "soak"
PICTURES = 256
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that happens `per_second` times a second, on a thread of its own."""

    name: str
    per_second: float
    act: Callable[[], None]


class UnexpectedAnswerError(Exception):
    """The server's answer is none that this request may get."""


class Soak:
    """A server's addresses, a device of its own for every actor, and the counts of what went well and what did not."""

    def __init__(self, addresses: dict[str, str], admin_token: str, keys: Path, folder: Path) -> None:
        self.addresses = addresses
        self._keys = keys
        self._folder = folder
        self._operator = OperatorClient(addresses["operator"], admin_token)
        self._counters = count(1)
        self._done: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self.bundle = self.publish()
        self._operator.post("/v1/assignments", {"family": FAMILY, "counter": self.bundle.counter})
        rng = np.random.default_rng(1)
        encoder = self.bundle.encoding.encoder()
        pixels = rng.integers(0, 256, (PICTURES, 4, 4, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        self.frames = [encoder.encode(picture, Stream.ABBREVIATED) for picture in pixels]
        self.scans = [encoder.encode(picture, Stream.SCAN) for picture in pixels]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._operator.close()

    def enrol(self) -> httpx.Client:
        """A client that speaks as a new device."""
        claim = self._operator.post("/v1/claims", {"family": FAMILY})["claim_code"]
        client = httpx.Client(base_url=self.addresses["device"], timeout=TIMEOUT_SECONDS)
        joining = {"claim_code": claim, "secret": secrets.token_urlsafe(32)}
        token = client.post("/v1/devices", json=joining).raise_for_status().json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        return client

    def publish(self, *, is_broken: bool = False) -> Bundle:
        """Publish the zoo's bundle under the next counter; a broken one has a classifier that is no ONNX file."""
        folder = self._folder / "bundle"
        with self._publishing:
            write_variant(folder, next(self._counters), is_broken=is_broken)
            read = ModelFolder.read(folder)
            publish_folder(self._operator, read, self._keys, datetime.now(UTC), lambda _step: None)
        assert isinstance(read.published, Bundle)
        return read.published

    @contextlib.contextmanager
    def running(self, actors: Sequence[Actor]) -> Iterator[None]:
        """Every actor on its thread until the block is left."""
        stop = threading.Event()
        threads = [threading.Thread(target=self._repeat, args=(actor, stop), name=actor.name) for actor in actors]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def counts(self) -> dict[str, float]:
        """What was done, in all and by actor, and how much of it failed."""
        done = {f"{name}_done": float(number) for name, number in sorted(self._done.items())}
        return {"requests": self._done.total(), "failed_requests": self._failed.total(), **done}

    def _repeat(self, actor: Actor, stop: threading.Event) -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / actor.per_second, time.monotonic() - 1)
            try:
                actor.act()
            except (UnexpectedAnswerError, httpx.HTTPError, RefusedError, OSError) as error:
                with self._lock:
                    self._failed[actor.name] += 1
                print(f"{actor.name}: {error!r}", flush=True)
            with self._lock:
                self._done[actor.name] += 1


def write_variant(folder: Path, counter: int, *, is_broken: bool) -> None:
    """The zoo's bundle in a folder of its own, under another counter."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ENTRY, folder)
    bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
    classifier = bundle.classifier
    if is_broken:
        broken = (folder / "classifier.onnx").read_bytes()[:-4096]
        (folder / "classifier.onnx").write_bytes(broken)
        classifier = classifier.model_copy(update={"sha256": hashlib.sha256(broken).hexdigest()})
    changed = {"family": FAMILY, "counter": counter, "min_counter": 1, "classifier": classifier}
    (folder / "bundle.json").write_bytes(bundle.model_copy(update=changed).to_bytes())
