"""Peers as processes of their own on one core, and the requests that their clients send."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.bundle_frames import clear_rows
from benchmarks.load import Request
from benchmarks.pixel_classifier import PixelClassifier
from benchmarks.pixels import jpeg_file
from benchmarks.record import ROOT

START_SECONDS = 60.0
POLL_SECONDS = 0.1
_BOUNDARY = b"------------------------dctwire"


class PeerServer:
    """A running peer; it rests (SIGSTOP) until it is `awake`, so that its polling costs nobody else anything.

    Args:
        command: a module of `benchmarks` and its options.
        folder: holds its classifier.
        ready: a request that it answers once it is up.

    Raises:
        RuntimeError: it ended, or did not answer in time.
    """

    def __init__(self, command: Sequence[str], folder: Path, core: int, ready: Request) -> None:
        self.address = ("127.0.0.1", _free_port())
        self._log = folder / "log"
        module, *options = command
        arguments = [str(folder), "--core", str(core), "--port", str(self.address[1]), *options]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.{module}", *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,  # its own processes end with it
            )
        try:
            self._wait_until_up(module, ready)
        except RuntimeError:
            self.__exit__(None, None, None)
            raise
        self._signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Within it, the peer runs."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def _wait_until_up(self, module: str, ready: Request) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if _answers(self.address, ready):
                return
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"{module} does not answer: {self._log.read_text()}")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def uploads(folder: Path, pixels: NDArray[np.uint8], path: str) -> tuple[Request, ...]:
    """Pictures as multipart uploads of ordinary JPEG files, with what the folder's classifier says of each.

    Args:
        pixels: uint8 (n, h, w, 3); pictures of which it is not sure are left out.
    """
    classifier = PixelClassifier(folder)
    jpegs = [jpeg_file(picture) for picture in pixels]
    logits = np.concatenate([classifier.logits(classifier.pixels(jpeg)[None]) for jpeg in jpegs])
    return tuple(_upload(jpegs[index], path, classifier.labels[logits[index].argmax()]) for index in clear_rows(logits))


def _upload(jpeg: bytes, path: str, label: str) -> Request:
    """As curl and browsers spell it."""
    disposition = b'Content-Disposition: form-data; name="file"; filename="frame.jpg"'
    part = b"--%s\r\n" + disposition + b"\r\nContent-Type: image/jpeg\r\n\r\n"
    body = part % _BOUNDARY + jpeg + b"\r\n--%s--\r\n" % _BOUNDARY
    head = (
        f"POST {path} HTTP/1.1\r\nHost: peer\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Request(before=head.encode() + body, labels=(label,))


def _answers(address: tuple[str, int], request: Request) -> bool:
    try:
        with socket.create_connection(address, timeout=START_SECONDS) as connection:
            connection.sendall(request.before)
            return connection.recv(12).endswith(b"200")
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
