"""What is signed is verified in a process of its own, which ends when it is done: libraries of TUF and of cryptography
take 11 MiB, and a camera needs them a few seconds a day.

The two speak lines of JSON over pipes. The process asks for files through this one, which has the line to the server;
it decides nothing but what verifies. What it needs is read from the disk, as it would be here.
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sensor_client.clock import Clock
from shared.errors import ChannelError, RefusedError
from shared.trust import Fetch, NotPublishedError, OtherSignerError, TrustError, TrustStanding, VerifiedTarget

DEADLINE_SECONDS = 150.0
"""For a whole look, after which the process is killed; `shared.trust.client` has its own, which is shorter."""
STANDING_SECONDS = 3600.0
"""How long what was found of the files holds, unless something was fetched."""
LINE_LIMIT_BYTES = 4 << 20
PROGRAM = "from sensor_client.trust_child import main; main()"

_ERRORS: dict[str, Callable[[str], Exception]] = {
    "trust": TrustError,
    "other-signer": OtherSignerError,
    "channel": ChannelError,
    "disk": OSError,
}


class TrustProcess:
    """`shared.trust.TrustClient`, of the same arguments and results, at work in another process. Thread-safe."""

    def __init__(self, directory: Path, root: bytes | None, fetch: Fetch, family: str, clock: Clock) -> None:
        """Prepare; nothing is started yet.

        Args:
            root: as the device was shipped with; None where it is lost.
            fetch: gets a file of the server's.
        """
        self._setting = {"directory": str(directory), "root": _text(root), "family": family}
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, TrustStanding] | None = None

    def refresh(self) -> TrustStanding:
        """Follow the metadata.

        Raises:
            TrustError: something does not verify.
            ChannelError: the server could not be asked, or the process ended before it was done.
            RefusedError: from `fetch`.
            OSError: the disk would not take what was fetched, or no process can be started.
        """
        with self._lock:
            return self._standing_of(self._ask({"wanted": "refresh"}))

    def download(self, target_path: str, known: Iterable[bytes] = ()) -> VerifiedTarget:
        """Follow the metadata, and fetch one target unless it is among what is known.

        Raises:
            TrustError, ChannelError, RefusedError, OSError: as `refresh`.
        """
        with self._lock:
            answer = self._ask({"wanted": "download", "target": target_path, "known": [_text(one) for one in known]})
            self._standing_of(answer)
        return VerifiedTarget(_data(answer["data"]), answer["custom"], answer["min_counter"])

    def standing(self) -> TrustStanding:
        """What is trusted so far, by the files alone; looked at once an hour.

        Raises:
            ChannelError, OSError: as `refresh`.
        """
        with self._lock:
            if self._known is not None and self._clock.monotonic_seconds() - self._known[0] < STANDING_SECONDS:
                return self._known[1]
            return self._standing_of(self._ask({"wanted": "standing"}))

    def _standing_of(self, answer: dict[str, Any]) -> TrustStanding:
        told = answer["standing"]
        times = ("signed_at", "time_floor", "not_before")
        read = {name: None if told[name] is None else datetime.fromisoformat(told[name]) for name in times}
        standing = TrustStanding(**{**told, **read})
        self._known = (self._clock.monotonic_seconds(), standing)
        return standing

    def _ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        faults: list[Exception] = []
        with _child() as (to_child, from_child):
            _send(to_child, {**self._setting, "now": self._clock.now(), **wanted})
            while (answer := _receive(from_child)) is not None and "path" in answer:
                _send(to_child, self._fetched(answer, faults))
        if answer is None:
            raise ChannelError("the process that verifies what is signed ended before it was done")
        if "error" not in answer:
            return answer
        if answer["error"] == "channel" and faults:
            raise faults[-1]  # with what it says of when to try again
        raise _ERRORS.get(answer["error"], ChannelError)(answer["said"])

    def _fetched(self, asked: dict[str, Any], faults: list[Exception]) -> dict[str, Any]:
        try:
            return {"data": _text(b"".join(self._fetch(asked["path"], asked["limit_bytes"], asked["seconds"])))}
        except NotPublishedError as error:
            return {"error": "not-published", "said": str(error)}
        except (ChannelError, RefusedError) as error:
            faults.append(error)
            return {"error": "channel", "said": str(error)}


@contextmanager
def _child() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A process that verifies, with the pipes to it; it has ended when the block has."""
    with subprocess.Popen(  # noqa: S603 - this program's own interpreter, and a text of ours
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        deadline = threading.Timer(DEADLINE_SECONDS, child.kill)
        deadline.daemon = True
        deadline.start()
        try:
            yield child.stdin, child.stdout
        finally:
            deadline.cancel()
            child.kill()  # it has nothing more to say


def _send(pipe: IO[bytes], message: dict[str, Any]) -> None:
    try:
        pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()
    except BrokenPipeError as error:
        raise ChannelError("the process that verifies what is signed is gone") from error


def _receive(pipe: IO[bytes]) -> dict[str, Any] | None:
    line = pipe.readline(LINE_LIMIT_BYTES)
    if not line.endswith(b"\n"):
        return None
    message: dict[str, Any] = json.loads(line)
    return message


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _data(text: str) -> bytes:
    return base64.b64decode(text)
