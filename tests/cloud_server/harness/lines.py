"""Families on one server, each with a line of bundles that share their files, so that publishing one costs little."""

import base64
import io
import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from shared.bundle import Bundle
from shared.trust import Role as SigningRole
from shared.trust import Target, TrustError, floor_of, load_key, next_targets, parse_targets
from tests.cloud_server.harness.bundles import classifier_ref, write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.frames import picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

DEVICES = 3
"""How many a family has, where nothing is said."""


def ordinary() -> bytes:
    """A JPEG as anybody's camera makes it: it names no bundle."""
    out = io.BytesIO()
    Image.fromarray(picture(3)).save(out, "JPEG", quality=83)
    return out.getvalue()


ORDINARY = ordinary()


@dataclass(frozen=True)
class Seen:
    """What one device is assigned, what a new one in its place would run, and who answers its frame."""

    assigned: int | None
    tables: bytes | None
    model: str | None


class Line:
    """One family's line of bundles, which have the same files, on a running server."""

    def __init__(self, harness: ServerHarness, made: Bundle, family: str, scratch: Path, devices: int) -> None:
        self.harness, self.family, self.scratch = harness, family, scratch
        self.operator = harness.client("operator")
        self._made = made
        self._signer = load_key(harness.keys, SigningRole.TARGETS)
        self.devices = [harness.enrol(family) for _ in range(devices)]

    @property
    def targets(self) -> bytes | None:
        """The family's list."""
        answer = self.operator.get(f"/v1/tuf/{self.family}/targets")
        return answer.content if answer.status_code == 200 else None

    @property
    def floor(self) -> int:
        """What it says."""
        return 0 if self.targets is None else floor_of(parse_targets(self.targets).signed)

    @property
    def below(self) -> dict[str, Any]:
        """What the server says is below it."""
        document: dict[str, Any] = self.operator.get(f"/v1/tuf/{self.family}/floor").json()
        return document

    def signed(self, counter: int, min_counter: int, on: bytes | None) -> tuple[Bundle, bytes]:
        """A bundle, and the list that follows `on` and has it."""
        changes = {"family": self.family, "counter": counter, "min_counter": min_counter}
        bundle = self._made.model_copy(update=changes)
        target = Target(bundle.target_path, bundle.to_bytes(), bundle.target_custom)
        kept = self.operator.get(f"/v1/tuf/{self.family}/keep").json()["keep"]
        return bundle, next_targets(self.family, on, [self._signer], datetime.now(UTC), added=target, kept=kept)

    def publish(self, counter: int, min_counter: int = 1, **how: Any) -> httpx.Response:
        """Sign a bundle and publish it."""
        return self.send(*self.signed(counter, min_counter, self.targets), **how)

    def send(self, bundle: Bundle, targets: bytes, client: httpx.Client | None = None, **how: Any) -> httpx.Response:
        """Publish a bundle with the list that has it."""
        body = {"bundle": encoded(bundle.to_bytes()), "targets": encoded(targets), **how}
        return (client or self.operator).post("/v1/bundles", json=body)

    def assign(self, counter: int) -> httpx.Response:
        """Assign a bundle to the family."""
        return self.operator.post("/v1/assignments", json={"family": self.family, "counter": counter})

    def hold(self, device: Device, part: str, body: dict[str, Any] | None) -> httpx.Response:
        """Pin a device or put it into quarantine; without a body, let it go."""
        path = f"/v1/devices/{device.device_id}/{part}"
        return self.operator.delete(path) if body is None else self.operator.put(path, json=body)

    def seen(self) -> list[Seen]:
        """How things stand for each device."""
        return [self._seen(device) for device in self.devices]

    def _seen(self, device: Device) -> Seen:
        assignment = device.http.get("/v1/assignment")
        answer = device.post(ORDINARY).json()
        if assignment.status_code != 200:
            return Seen(None, None, answer.get("model"))
        counter, target = assignment.json()["counter"], assignment.json()["target"]
        return Seen(counter, self.fetched(counter, target), answer.get("model"))

    def fetched(self, counter: int, target: str) -> bytes | None:
        """What a new device gets of a bundle: nothing where it must not run that."""
        try:
            verified = self.harness.follower(self.scratch, self.family).download(target)
        except TrustError:
            return None
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
        return verified.data if counter >= verified.min_counter else None


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Stand:
    """A server that has the files of all bundles, and families on it, one after the other."""

    harness: ServerHarness
    made: Bundle
    scratch: Path

    def __post_init__(self) -> None:
        self._numbers = itertools.count()

    def line(self, devices: int = DEVICES) -> Line:
        """A new family with so many new devices."""
        number = next(self._numbers)
        return Line(self.harness, self.made, f"family-{number}", self.scratch / str(number), devices)


@contextmanager
def standing(directory: Path, engine: Engine) -> Iterator[Stand]:
    """A server that has the files of all bundles."""
    made = write_bundle(directory / "made", "made", 1, tables(50))
    with server_in_thread(directory / "server", engine) as harness:
        for sha256, name in ((sha, name) for name, sha in classifier_ref(directory / "made").files.items()):
            data = (directory / "made" / name).read_bytes()
            assert harness.client("operator").put(f"/v1/blobs/{sha256}", content=data).status_code in (201, 204)
        yield Stand(harness, made, directory / "scratch")
