"""HTTP/1.1 heads without the space behind each colon, which nobody needs (RFC 9112 5.1): a byte a header less."""

import re
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

_NAME = re.compile(rb"(\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:) ")


class CompactHeads(httpcore.NetworkBackend):
    """A network on whose connections HTTP/1.1 is spoken by httpcore."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return CompactStream(self._network.connect_tcp(host, port, timeout, local_address, socket_options))


class CompactStream(httpcore.NetworkStream):
    """A stream on which httpcore writes a request's head at once, and before anything else of it.

    So what is written first, or first after an answer was read, is a head; bodies are left as they are.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._is_head_next = True

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._is_head_next = True
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._is_head_next and buffer.endswith(b"\r\n\r\n"):
            buffer = _NAME.sub(rb"\1", buffer)
        self._is_head_next = False
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return CompactStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
