"""Connections on which one exchange has one deadline and one number of bytes, however its peer divides them up.

A timeout for each read is no limit: a peer that sends a byte now and then passes every one of them. So each read and
write of a thread's exchange gets what is left of that exchange's time, and what it reads is taken from its bytes. All
of it is counted here, below TLS: what goes through the socket.
"""

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

from sensor_client.clock import Clock
from sensor_client.errors import LineTimeoutError
from sensor_client.tls_stream import TlsStream
from sensor_client.traffic import Meter, Purpose
from shared.errors import ChannelError

WRITTEN_AT_ONCE_BYTES = 16 * 1024


class _Allowance(threading.local):
    """What is left for the exchange that this thread is in."""

    seconds = 0.0
    deadline_seconds = 0.0
    bytes_left = 0
    purpose = Purpose.OTHER


class DeadlineNetwork(httpcore.NetworkBackend):
    """Opens connections for exchanges, each of which a thread carries out inside `exchange`. Thread-safe."""

    def __init__(self, clock: Clock, meter: Meter | None = None) -> None:
        self._clock = clock
        self._meter = meter
        self._allowance = _Allowance()

    @contextmanager
    def exchange(self, seconds: float, reply_bytes: int, purpose: Purpose = Purpose.OTHER) -> Iterator[None]:
        """Give what this thread does inside the block so much time, and so many bytes to read, for this purpose.

        Raises:
            ChannelError: from inside the block, when either is used up.
        """
        self._allowance.seconds = seconds
        self._allowance.deadline_seconds = self._clock.monotonic_seconds() + seconds
        self._allowance.bytes_left = reply_bytes
        self._allowance.purpose = purpose
        yield

    def seconds_left(self, at_most: float | None = None) -> float:
        """The seconds that this thread's exchange still has.

        Raises:
            LineTimeoutError: none.
        """
        left = self._allowance.deadline_seconds - self._clock.monotonic_seconds()
        if left <= 0:
            raise LineTimeoutError(f"no whole reply within {self._allowance.seconds:.0f} s")
        return left if at_most is None else min(at_most, left)

    def sending(self, count: int) -> None:
        """Count what this thread's exchange is about to write."""
        if self._meter is not None:
            self._meter.count(self._allowance.purpose, sent=count)

    def spend(self, count: int) -> None:
        """Count what was read, and take it from this thread's exchange.

        Raises:
            ChannelError: that is more than it may read.
        """
        if self._meter is not None:
            self._meter.count(self._allowance.purpose, received=count)
        self._allowance.bytes_left -= count
        if self._allowance.bytes_left < 0:
            raise ChannelError("the reply is longer than any that a dctwire server gives")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that answers; looking the name up has the resolver's own limit."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in dict.fromkeys(str(entry[4][0]) for entry in found):
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    address, port, self.seconds_left(timeout), local_address, socket_options or ()
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self)
        raise failure


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, network: DeadlineNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, self._network.seconds_left(timeout))
        self._network.spend(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITTEN_AT_ONCE_BYTES):
            piece = buffer[start : start + WRITTEN_AT_ONCE_BYTES]
            seconds = self._network.seconds_left(timeout)
            self._network.sending(len(piece))
            self._stream.write(piece, seconds)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return TlsStream(self, ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
