"""The transport that uvicorn's protocol writes to: it counts, and it closes without cutting off an answer."""

import asyncio
from typing import Protocol

from cloud_server.api.http.limits import LINGER_SECONDS


class Connection(Protocol):
    """What the transport must know of the connection it belongs to."""

    def count_sent(self, size: int) -> None:
        """Note that `size` bytes were written."""

    @property
    def has_unread_body(self) -> bool:
        """Whether the peer is still sending what nobody will answer."""


class LingeringTransport:
    """An asyncio transport, as far as uvicorn uses one.

    Closing a socket with unread bytes in it resets the connection, and the reset may overtake the answer. So when
    the peer is still sending, only our half is closed, and the rest is read and dropped for `LINGER_SECONDS`. TLS has
    no half to close; its peer knows by `connection: close` that nothing follows.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection, write_max_seconds: float) -> None:
        self._transport = transport
        self._connection = connection
        self._write_max_seconds = write_max_seconds
        self._is_lingering = False
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.abort = transport.abort

    def write(self, data: bytes) -> None:
        """Send `data`; nothing once the connection lingers, as a closed transport does."""
        if self._is_lingering:
            return
        self._connection.count_sent(len(data))
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether it was closed, or only lingers."""
        return self._is_lingering or self._transport.is_closing()

    def close(self) -> None:
        """Send what is written, then end the connection: at once, or after lingering."""
        if self._is_lingering:
            return
        if not self._connection.has_unread_body or self._transport.is_closing():
            self._end()
            return
        self._is_lingering = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        """Close; a peer that does not read the rest of its answer is cut off after `write_max_seconds`."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self._write_max_seconds, self._transport.abort)
