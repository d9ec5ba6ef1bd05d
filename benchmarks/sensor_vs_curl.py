"""The same pictures by what people use: cjpeg of libjpeg-turbo and curl, beside the real `dctwire-sensor run`.

All send the same pictures of 224x224 (PPM files, so that nobody resizes or decodes JPEG) with the same quantisation
tables to the same server, through a socket that counts. A shell's way is a cjpeg and a curl for each picture; curl's
best way is a cjpeg for each and one curl for all, over one connection. Both ask for answers without results, as the
sensor does. Processor time is of the whole processes, start and all, the sensor's too.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.counting_relay import CountingRelay
from benchmarks.pinned_server import PinnedServer
from benchmarks.sensor_scene import QUALITY, SENSOR_CORE, Camera, enrolled_token

FRAMES: Final = 512
BATCH: Final = 16


def beside(folder: Path, server: PinnedServer, source: Path) -> dict[str, float]:
    """Bytes both ways and milliseconds of processor a frame, of each way."""
    found: dict[str, float] = {}
    with CountingRelay(server.device_address) as relay:
        host, port = relay.address
        curl = Curl(f"http://{host}:{port}", enrolled_token(server), source)
        camera = Camera(folder / "camera", server, f"http://{host}:{port}")
        camera.send(source, "--count", 2)
        ways: dict[str, Callable[[], float]] = {
            "curl_each": curl.one_by_one,
            "curl_once": curl.all_at_once,
            "single": lambda: camera.send(source, "--count", FRAMES),
            "batch16": lambda: camera.send(source, "--count", FRAMES, "--batch", BATCH),
        }
        for name, way in ways.items():
            before = relay.sent_bytes + relay.received_bytes
            seconds = way()
            found[f"wire_bytes_{name}"] = (relay.sent_bytes + relay.received_bytes - before) / FRAMES
            found[f"cpu_ms_{name}"] = 1e3 * seconds / FRAMES
    return found


class Curl:
    """Posts pictures as a script does."""

    def __init__(self, url: str, token: str, source: Path) -> None:
        self._url, self._token = f"{url}/v1/frames", token
        self._files = sorted(source.iterdir())
        self._numbers = count(1)

    def one_by_one(self) -> float:
        """A cjpeg and a curl for each picture; seconds of processor."""
        with tempfile.TemporaryDirectory() as folder:
            frame = Path(folder) / "frame.jpg"
            return sum(
                self._encode(file, frame) + _run(["curl", "--silent", "--fail", *self._post(frame), self._url])
                for file in self._taken()
            )

    def all_at_once(self) -> float:
        """A cjpeg for each picture, and one curl for all; seconds of processor."""
        with tempfile.TemporaryDirectory() as folder:
            frames = [Path(folder) / f"{number}.jpg" for number in range(FRAMES)]
            encoding = sum(self._encode(file, frame) for file, frame in zip(self._taken(), frames, strict=True))
            words = ["curl", "--silent", "--fail"]
            for frame in frames:
                words += [*self._post(frame), self._url, "--next", "--silent", "--fail"]
            return encoding + _run(words[:-3])

    def _taken(self) -> Iterator[Path]:
        for number in range(FRAMES):
            yield self._files[number % len(self._files)]

    def _encode(self, file: Path, frame: Path) -> float:
        return _run(["cjpeg", "-quality", str(QUALITY), "-outfile", str(frame), str(file)])

    def _post(self, frame: Path) -> list[str]:
        heads = (
            f"Authorization: Bearer {self._token}",
            "Content-Type: image/jpeg",
            f"DW-Sequence: {next(self._numbers)}",
            "Prefer: return=minimal",
        )
        return [*(word for head in heads for word in ("--header", head)), "--data-binary", f"@{frame}"]


def _run(words: list[str]) -> float:
    process = subprocess.Popen(["taskset", "--cpu-list", str(SENSOR_CORE), *words], stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime
