"""The one connection of a device that speaks HTTP/2 where the server offers it: opened when it is used, and again."""

import ssl

import httpcore

from sensor_client.clock import Clock
from sensor_client.compact_heads import CompactStream
from sensor_client.deadline_network import DeadlineNetwork
from sensor_client.http2_connection import Http2Connection

OFFERED = ["h2", "http/1.1"]


class SharedConnection:
    """Opens a connection to one https server, and keeps it. For one exchange at a time."""

    def __init__(
        self,
        network: DeadlineNetwork,
        clock: Clock,
        context: ssl.SSLContext,
        host: str,
        port: int,
        keep_alive_seconds: float,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            keep_alive_seconds: a connection that was not used for so long is not used again: what stands between may
                have forgotten it without a word.
        """
        self._network = network
        self._clock = clock
        self._context = context
        self._host = host
        self._port = port
        self._keep_alive_seconds = keep_alive_seconds
        self._used_seconds = 0.0
        self._open: Http2Connection | httpcore.HTTP11Connection | None = None

    def ready(self, connect_seconds: float) -> httpcore.ConnectionInterface:
        """The connection, open: the one that was, or a new one.

        Raises:
            ChannelError, httpcore.NetworkError, httpcore.TimeoutException: there is none.
        """
        now_seconds = self._clock.monotonic_seconds()
        is_stale = now_seconds - self._used_seconds > self._keep_alive_seconds
        if self._open is not None and (is_stale or not _is_usable(self._open)):
            self.close()
        self._used_seconds = now_seconds
        if self._open is None:
            self._open = self._connect(connect_seconds)
        return self._open

    def close(self) -> None:
        """End the connection; the next use opens another one."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _connect(self, seconds: float) -> Http2Connection | httpcore.HTTP11Connection:
        stream = self._network.connect_tcp(self._host, self._port, seconds)
        self._context.set_alpn_protocols(OFFERED)
        secure = stream.start_tls(self._context, self._host, seconds)
        if secure.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            return Http2Connection(secure, seconds)
        origin = httpcore.Origin(b"https", self._host.encode("ascii"), self._port)
        return httpcore.HTTP11Connection(origin, CompactStream(secure), self._keep_alive_seconds)


def _is_usable(connection: Http2Connection | httpcore.HTTP11Connection) -> bool:
    if isinstance(connection, Http2Connection):
        return connection.is_usable()
    return connection.is_available() and not connection.has_expired()
