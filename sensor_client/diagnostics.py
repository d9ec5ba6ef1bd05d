"""Diagnostics: what an operator asked for, packed into one small archive without secrets, and sent once.

With it goes a picture: whoever asks what ails a camera wants to see what it sees.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from shared.errors import ChannelError, DctwireError, RefusedError
from shared.wire import DIAGNOSTICS_MAX_BYTES

FLOOR_SECONDS = 60.0
"""Between two attempts, at least."""
ARCHIVE_SECONDS = 900.0
"""Between two archives, at least: whoever answers in the server's place makes a device send no more."""
FILE_MAX_BYTES = 1 << 20
REMOVED = "[removed]"
SECRET_MIN_CHARACTERS = 6
"""What is shorter would take words out of the text that are none."""

_LONG = re.compile(r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{43,}")
"""What looks like a secret of 32 bytes; digests in hexadecimal are longer words of the same kind, and go, too."""
_LOGIN = re.compile(r"(?<=://)[^/@\s\"]+@")
_QUERY = re.compile(r"(?<=[^\s\"?])\?[^\s\"]+")  # whatever a path ends in

_log = get_logger(__name__)


class DiagnosticsChannel(Protocol):
    """What the sender needs of `DeviceChannel`."""

    def send_diagnostics(self, request: str, archive: bytes) -> None: ...


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, and without what looks like one: logins and queries in addresses, long words."""
    for secret in secrets:
        if len(secret) >= SECRET_MIN_CHARACTERS:
            text = text.replace(secret, REMOVED)
    for pattern in (_LOGIN, _QUERY, _LONG):
        text = pattern.sub(REMOVED, text)
    return text


def packed(files: Mapping[str, str], limit_bytes: int = DIAGNOSTICS_MAX_BYTES) -> bytes:
    """A tar archive of texts, packed by gzip; the ends of texts alone where they would make it too large."""
    keep = FILE_MAX_BYTES
    while len(archive := _packed({name: text.encode()[-keep:] for name, text in files.items()})) > limit_bytes:
        keep //= 2
    return archive


def _packed(files: Mapping[str, bytes]) -> bytes:
    import gzip  # noqa: PLC0415 - few sensors are ever asked
    import tarfile  # noqa: PLC0415

    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


class DiagnosticsSender:
    """Sends an archive for each request that is noticed, once. A thread of its own: nothing waits for it."""

    def __init__(
        self,
        *,
        channel: DiagnosticsChannel,
        files: Callable[[], Mapping[str, str]],
        ask_picture: Callable[[], object],
        secrets: Callable[[], Iterable[str]],
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
    ) -> None:
        """Prepare; nothing is looked at yet.

        Args:
            files: what is to be sent, by name.
            ask_picture: has a picture taken soon, and sent before all others; called once a request.
            secrets: what must not be in it.
        """
        self._channel = channel
        self._files = files
        self._ask_picture = ask_picture
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._signals = signals
        self._done: str | None = None
        self._pictured: str | None = None
        self._attempt = 0

    def run(self) -> None:
        """Send what is asked for until a stop is."""
        while self._signals.may_go_on(self._signals.diagnostics_wanted):
            wait_seconds = self.step()
            if wait_seconds:
                self._clock.wait(self._signals.stop, wait_seconds)
            else:
                self._clock.wait(self._signals.diagnostics_wanted, ARCHIVE_SECONDS)

    def step(self) -> float:
        """Send what is asked for and not sent yet; return how long to wait before the next attempt or archive."""
        request = self._signals.diagnostics_request
        if request is None or request == self._done:
            return 0.0
        if request != self._pictured:
            self._pictured = request
            self._ask_picture()
        try:
            self._send(request)
        except RefusedError as error:  # nobody waits for them any more
            _log.warning("diagnostics-refused", reason=str(error))
        except DctwireError as error:  # of the line, or something cannot be read now
            return self._put_off(error)
        finally:
            self._signals.diagnostics_tried.set()
        self._done, self._attempt = request, 0
        return ARCHIVE_SECONDS

    def _send(self, request: str) -> None:
        secrets = list(self._secrets())
        archive = packed({name: scrubbed(text, secrets) for name, text in self._files().items()})
        self._channel.send_diagnostics(request, archive)
        _log.info("diagnostics-sent", request=request, bytes=len(archive))

    def _put_off(self, error: DctwireError) -> float:
        retry_after = error.retry_after_seconds if isinstance(error, ChannelError) else None
        wait_seconds = FLOOR_SECONDS + delay_seconds(self._attempt, retry_after, self._random)
        _log.warning("diagnostics-put-off", reason=str(error), retry_in_seconds=round(wait_seconds, 3))
        self._attempt += 1
        self._signals.diagnostics_wanted.set()
        return wait_seconds
