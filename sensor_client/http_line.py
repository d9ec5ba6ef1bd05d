"""The one door to httpx: a request goes out, a whole reply comes back, or a ChannelError."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import httpx

from sensor_client.clock import Clock
from shared.errors import ChannelError
from shared.proxies import proxy_for

REPLY_LIMIT_BYTES = 2 * 1024 * 1024
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 10.0
DEADLINE_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 90.0


@dataclass(frozen=True)
class Reply:
    """A whole HTTP reply; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    via: str = ""
    """The proxy that it came through, as the end of a sentence; empty without one."""


class HttpLine:
    """HTTP/1.1 to one server over kept-alive connections, without headers that nobody needs. Thread-safe.

    Every wait has an end: connecting, silence, and the reply as a whole, which also has a size limit.
    """

    def __init__(self, server_url: str, clock: Clock, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """Prepare; nothing is sent yet.

        Args:
            environment: where `shared.proxies` looks for a proxy.

        Raises:
            ValueError: `server_url` is not an http or https URL.
            ProxyError: it is to be reached through a proxy that cannot be used.
        """
        self._clock = clock
        self._base = server_url.rstrip("/")
        url = _parse(self._base)
        proxy = proxy_for(self._base, environment)
        self._via = f" (through {proxy})" if proxy else ""
        self._client = httpx.Client(
            timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=KEEP_ALIVE_SECONDS),
            verify=url.scheme == "https",  # for http it would load a certificate store that nothing uses
            proxy=proxy.url if proxy else None,
            trust_env=False,  # httpx's own reading of the environment fails on values that are quite usual
        )
        self._client.headers.clear()  # httpx's four default headers cost 104 bytes a frame

    @property
    def url(self) -> str:
        """The server's address, as it was given."""
        return self._base

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Send one request and read its reply.

        Raises:
            ChannelError: no connection, no whole reply in time, or one over the limit.
        """
        deadline = self._clock.monotonic_seconds() + DEADLINE_SECONDS
        url = self._base + path
        try:
            with self._client.stream(method, url, headers=headers, content=body) as response:
                return Reply(response.status_code, response.headers, self._read(response, deadline), self._via)
        except httpx.HTTPError as error:
            raise ChannelError(f"{method} {url}: {_said(error)}{self._via}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > REPLY_LIMIT_BYTES:
                raise ChannelError(f"{response.url}: the reply is longer than {REPLY_LIMIT_BYTES} bytes")
            if self._clock.monotonic_seconds() > deadline:
                raise ChannelError(f"{response.url}: no whole reply within {DEADLINE_SECONDS:.0f} s")
        return bytes(body)


def _said(error: httpx.HTTPError) -> str:
    said = str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError):
        return f"no HTTP answer ({said})"
    return f"no TLS connection ({said})" if said.startswith("[SSL") else said


def _parse(server_url: str) -> httpx.URL:
    try:
        url = httpx.URL(server_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{server_url}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{server_url}: a server's address looks like http://host:8000")
    return url
