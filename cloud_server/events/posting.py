"""How a webhook goes out: one POST with one deadline, of whose answer the status counts.

No redirect is followed and no cookie kept. Of an answer so much is read and no more, interim answers included, and a
little at a time: an endpoint that pours must not keep the event loop from answering frames. httpx prepares a request,
and httpcore below it sends it, for only there can be counted what comes. The second of the server's doors to httpx.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import httpcore
import httpx

from cloud_server.events.endpoints import Endpoint

DEADLINE_SECONDS = 10.0
"""From looking up the name to the end of the answer: less than a lease lasts, so that nobody else sends meanwhile."""
ANSWER_BYTES_MAX = 64 * 1024
"""Of the whole answer as it comes: interim answers, headers, and what stands around the chunks of its body."""
READ_BYTES = 2048
"""So much is read, and taken apart, before other tasks have their turn; the shortest interim answer has 16 bytes."""
_FAULTS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, httpcore.UnsupportedProtocol)


class Outcome(NamedTuple):
    """What became of a POST: nothing is wrong, or what is, and for how long the endpoint asks to be left alone."""

    fault: str | None
    retry_after_seconds: float = 0.0


class Poster:
    """Posts to endpoints, over connections that are kept; must be closed."""

    def __init__(self, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline_seconds = deadline_seconds
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def post(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Post a body of JSON, and read the answer as far as its limit."""
        try:
            request = self._request(endpoint, headers, body)
            async with asyncio.timeout(self._deadline_seconds):
                return await _exchange(self._pool(endpoint), request)
        except (TimeoutError, httpcore.TimeoutException):
            return Outcome(f"no whole answer within {self._deadline_seconds:g} s")
        except _AnswerTooLongError:
            return Outcome(f"no answer within the first {ANSWER_BYTES_MAX} bytes")
        except (*_FAULTS, httpx.InvalidURL, OSError) as error:
            return Outcome(f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            await pool.aclose()

    def _request(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> httpcore.Request:
        own = {"content-type": "application/json", "user-agent": "dctwire", "accept": "*/*"}
        request = httpx.Request("POST", endpoint.url, headers=own | dict(headers), content=body)
        return httpcore.Request(
            request.method,
            _core_url(request.url),
            headers=request.headers.raw,
            content=body,
            extensions={"timeout": httpx.Timeout(self._deadline_seconds).as_dict()},
        )

    def _pool(self, endpoint: Endpoint) -> httpcore.AsyncConnectionPool:
        if endpoint.name not in self._pools:
            self._pools[endpoint.name] = _pool_for(endpoint)
        return self._pools[endpoint.name]


class _AnswerTooLongError(Exception):
    """An answer is not over within its limit."""


class _BoundedStream(httpcore.AsyncNetworkStream):
    """A connection of which so much is read after each time that something was sent."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = ANSWER_BYTES_MAX

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._left <= 0:
            raise _AnswerTooLongError
        await asyncio.sleep(0)
        found = await self._stream.read(min(max_bytes, READ_BYTES), timeout)
        self._left -= len(found)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._left = ANSWER_BYTES_MAX
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedNetwork(httpcore.AnyIOBackend):
    """Opens such connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _BoundedStream(await super().connect_tcp(host, port, timeout, local_address, socket_options))


async def _exchange(pool: httpcore.AsyncConnectionPool, request: httpcore.Request) -> Outcome:
    response = await pool.handle_async_request(request)
    try:
        async for _ in response.aiter_stream():
            pass
    except _AnswerTooLongError:
        pass  # enough is known, and the connection is closed with the rest of it
    finally:
        await response.aclose()
    if 200 <= response.status < 300:
        return Outcome(None)
    asked = httpx.Headers(response.headers).get("retry-after", "")
    return Outcome(f"answered {response.status}", _retry_after(asked))


def _pool_for(endpoint: Endpoint) -> httpcore.AsyncConnectionPool:
    tls = httpx.create_ssl_context() if endpoint.url.startswith("https:") else None
    network = _BoundedNetwork()
    if endpoint.proxy is None:
        return httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=2,
            max_keepalive_connections=1,
            keepalive_expiry=30.0,
            network_backend=network,
        )
    proxy = httpx.Proxy(endpoint.proxy.url)
    return httpcore.AsyncHTTPProxy(
        proxy_url=_core_url(proxy.url),
        proxy_auth=proxy.raw_auth,
        ssl_context=tls,
        max_connections=2,
        max_keepalive_connections=1,
        keepalive_expiry=30.0,
        network_backend=network,
    )


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _retry_after(text: str) -> float:
    """Seconds, as most say it; a date is passed over, for the back-off grows anyway."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0
