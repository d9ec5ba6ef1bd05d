"""TLS over any stream: whoever counts that stream's bytes, and limits its time, does so for TLS's own bytes, too."""

import contextlib
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import httpcore

RECORD_BYTES = 16 * 1024

_T = TypeVar("_T")
_Faults = type[httpcore.ConnectError] | type[httpcore.ReadError] | type[httpcore.WriteError]


class TlsStream(httpcore.NetworkStream):
    """A stream inside TLS. Python's own sockets read and write past everybody who would count; this one does not.

    Its errors are httpcore's, as those of the stream below.
    """

    def __init__(
        self, below: httpcore.NetworkStream, context: ssl.SSLContext, hostname: str | None, timeout: float | None
    ) -> None:
        """Shake hands.

        Raises:
            httpcore.ConnectError: that failed; the stream below is closed.
        """
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        try:
            self._do(self._tls.do_handshake, timeout, httpcore.ConnectError)
        except BaseException:
            below.close()
            raise

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._do(partial(self._tls.read, max_bytes), timeout, httpcore.ReadError)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), RECORD_BYTES):
            piece = buffer[start : start + RECORD_BYTES]
            self._do(partial(self._tls.write, piece), timeout, httpcore.WriteError)

    def close(self) -> None:
        self._below.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return TlsStream(self, ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        return self._tls if info == "ssl_object" else self._below.get_extra_info(info)

    def _do(self, step: Callable[[], _T], timeout: float | None, fault: _Faults) -> _T:
        """Take a step, as often as it asks for more bytes, and send what it has to say."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush(timeout)
                self._take(timeout)
            except ssl.SSLError as error:
                with contextlib.suppress(httpcore.WriteError, httpcore.WriteTimeout):
                    self._flush(timeout)  # the alert that says why
                if fault is httpcore.ReadError and isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
                    raise
                raise fault(str(error)) from error
            else:
                self._flush(timeout)
                return done

    def _flush(self, timeout: float | None) -> None:
        said = self._outgoing.read()
        if said:
            self._below.write(said, timeout)

    def _take(self, timeout: float | None) -> None:
        heard = self._below.read(RECORD_BYTES, timeout)
        if heard:
            self._incoming.write(heard)
        else:
            self._incoming.write_eof()
