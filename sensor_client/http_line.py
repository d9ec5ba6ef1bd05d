"""HTTP as a device speaks it: a request goes out, a whole reply comes back, or a ChannelError."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, unquote, urlsplit

import httpcore

from sensor_client.clock import Clock
from sensor_client.compact_heads import CompactHeads
from sensor_client.deadline_network import DeadlineNetwork
from sensor_client.errors import LineTimeoutError, NobodyReadItError
from sensor_client.traffic import Meter, Purpose
from shared.errors import ChannelError
from shared.proxies import Proxy, proxy_for

if TYPE_CHECKING:
    from sensor_client.shared_connection import SharedConnection

REPLY_LIMIT_BYTES = 2 * 1024 * 1024
HEAD_LIMIT_BYTES = 16 * 1024
TLS_LIMIT_BYTES = 64 * 1024
"""What a handshake and the frames of records may cost, beside a reply."""
HEADS_BYTES = 512
"""About what a request and its reply cost beside the request's body."""
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 10.0
DEADLINE_SECONDS = 30.0
KEEP_ALIVE_SECONDS = 90.0
CONNECTIONS = 6
"""One for each thread of a device that asks its server something, and one more."""

_NO_CONNECTION = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
_FAULTS = (httpcore.NetworkError, httpcore.ProtocolError)


@dataclass(frozen=True)
class Reply:
    """A whole HTTP reply; header names are in lower case, values are decoded as ISO 8859-1 (RFC 9110 5.5)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    via: str = ""
    """The proxy that it came through, as the end of a sentence; empty without one."""


class HttpLine:
    """HTTP to one server over kept-alive connections, without headers that nobody needs. Thread-safe.

    An exchange has one deadline, from looking for a connection to the last byte of the reply. A reply's head and body
    have limits; what is over one ends its connection and nothing else. No cookie is kept, no redirect followed, and
    no content coding undone: nothing that one reply says is carried into the next request.

    HTTP/2 is spoken where an https server offers it, no proxy is between, and the extra [http2] is installed. One
    exchange at a time has that connection to itself, so that none waits for another's bytes or pays for them; those
    beside it speak HTTP/1.1.
    """

    def __init__(
        self,
        server_url: str,
        clock: Clock,
        environment: Mapping[str, str] = MappingProxyType({}),
        authorities: str | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            environment: where `shared.proxies` looks for a proxy.
            authorities: certificates (PEM) that alone may vouch for the server; None trusts the usual ones.
            meter: lets exchanges go, and is told what they cost; None lets all go.

        Raises:
            ValueError: `server_url` is not an http or https URL, or `authorities` holds no certificate.
            ProxyError: it is to be reached through a proxy that cannot be used.
        """
        self._base = server_url.rstrip("/")
        self._url = _parse(self._base)
        proxy = proxy_for(self._base, environment)
        self._via = f" (through {proxy})" if proxy else ""
        self._host = self._url.netloc.encode("ascii")
        self._meter = meter
        self._network = DeadlineNetwork(clock, meter)
        # For http a certificate store would be loaded that nothing uses.
        tls = _tls_context(authorities) if self._url.scheme == "https" else None
        self._tls_bytes = 0 if tls is None else TLS_LIMIT_BYTES
        self._pool = _pool(CompactHeads(self._network), tls, proxy)
        self._shared = None if tls is None or proxy is not None else _shared(self._network, clock, tls, self._url)
        self._turn = threading.Lock()

    @property
    def url(self) -> str:
        """The server's address, as it was given."""
        return self._base

    def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        limit_bytes: int = REPLY_LIMIT_BYTES,
        seconds: float = DEADLINE_SECONDS,
        purpose: Purpose = Purpose.OTHER,
    ) -> Reply:
        """Send one request and read its reply.

        Args:
            limit_bytes: of the reply's body.
            seconds: for the whole exchange; the line's own deadline holds, too.

        Raises:
            ChannelError: no connection, no whole reply in time, or one over a limit.
            LineTimeoutError: one of these: it took too long.
            OverBudgetError: one of these: it was not sent.
        """
        if self._meter is not None:
            self._meter.ask(purpose, HEADS_BYTES + len(body or b""))
        read_bytes = HEAD_LIMIT_BYTES + limit_bytes + self._tls_bytes
        try:
            with (
                self._network.exchange(min(seconds, DEADLINE_SECONDS), read_bytes, purpose),
                self._connections() as pool,
            ):
                return self._exchange(pool, method, path, headers or {}, body, limit_bytes)
        except LineTimeoutError as error:
            raise LineTimeoutError(f"{method} {self._base}{path}: {error}{self._via}") from error
        except ChannelError as error:
            raise ChannelError(f"{method} {self._base}{path}: {error}{self._via}") from error
        except (httpcore.ReadTimeout, httpcore.WriteTimeout) as error:
            raise LineTimeoutError(f"{method} {self._base}{path}: {_said(error)}{self._via}") from error
        except _NO_CONNECTION as error:
            raise NobodyReadItError(f"{method} {self._base}{path}: {_said(error)}{self._via}") from error
        except _FAULTS as error:
            raise ChannelError(f"{method} {self._base}{path}: {_said(error)}{self._via}") from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        if self._shared is not None:
            self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _connections(self) -> Iterator[httpcore.ConnectionPool | httpcore.ConnectionInterface]:
        """Where to exchange: on the connection that speaks HTTP/2, while nobody else does."""
        if self._shared is None or not self._turn.acquire(blocking=False):
            yield self._pool
            return
        try:
            yield self._shared.ready(CONNECT_SECONDS)
        except BaseException:
            self._shared.close()  # what comes late for this exchange must not meet the next one
            raise
        finally:
            self._turn.release()

    def _exchange(
        self,
        pool: httpcore.ConnectionPool | httpcore.ConnectionInterface,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        limit_bytes: int,
    ) -> Reply:
        sent = [
            (b"Host", self._host),
            *((name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()),
        ]
        if body is not None:
            sent.append((b"Content-Length", b"%d" % len(body)))
        url = httpcore.URL(
            scheme=self._url.scheme.encode(),
            host=(self._url.hostname or "").encode("ascii"),
            port=self._url.port,
            target=f"{self._url.path}{path}".encode("ascii"),
        )
        waits = {
            "connect": CONNECT_SECONDS,
            "read": SILENCE_SECONDS,
            "write": SILENCE_SECONDS,
            "pool": self._network.seconds_left(),
        }
        with pool.stream(method, url, headers=sent, content=body, extensions={"timeout": waits}) as response:
            head = _head_of(response)
            return Reply(response.status, head, self._body_of(response, limit_bytes), self._via)

    def _body_of(self, response: httpcore.Response, limit_bytes: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > limit_bytes:
                raise ChannelError(f"the reply is longer than {limit_bytes} bytes")
            self._network.seconds_left()  # a peer that never lets a read wait ends here
        return bytes(body)


def _head_of(response: httpcore.Response) -> dict[str, str]:
    """The headers; those of one name are joined (RFC 9110 5.3).

    Raises:
        ChannelError: they are longer than allowed, or the body has a coding, which nobody asked for.
    """
    if sum(len(name) + len(value) for name, value in response.headers) > HEAD_LIMIT_BYTES:
        raise ChannelError(f"the reply's headers are longer than {HEAD_LIMIT_BYTES} bytes")
    head: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        head[name] = f"{head[name]}, {value}" if name in head else value
    if head.get("content-encoding", "identity").strip().lower() != "identity":
        raise ChannelError("the reply has a content coding, which nobody asked for")
    return head


def _pool(network: httpcore.NetworkBackend, tls: ssl.SSLContext | None, proxy: Proxy | None) -> httpcore.ConnectionPool:
    if proxy is None:
        return httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=network,
        )
    parts = urlsplit(proxy.url)
    login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return httpcore.HTTPProxy(
        proxy_url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        proxy_auth=None if login is None else (login[0].encode(), login[1].encode()),
        ssl_context=tls,
        max_connections=CONNECTIONS,
        keepalive_expiry=KEEP_ALIVE_SECONDS,
        network_backend=network,
    )


def _shared(network: DeadlineNetwork, clock: Clock, tls: ssl.SSLContext, url: SplitResult) -> "SharedConnection | None":
    """The connection that speaks HTTP/2; None where the extra [http2] is not installed."""
    try:
        from sensor_client.shared_connection import SharedConnection  # noqa: PLC0415 - h2 is an extra
    except ModuleNotFoundError:
        return None
    return SharedConnection(network, clock, tls, url.hostname or "", url.port or 443, KEEP_ALIVE_SECONDS)


def _tls_context(authorities: str | None) -> ssl.SSLContext:
    if authorities is None:
        return httpcore.default_ssl_context()
    try:
        return ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"there is no certificate (PEM) to know the server by: {error}") from error


def _said(error: Exception) -> str:
    said = str(error) or type(error).__name__
    if isinstance(error, httpcore.RemoteProtocolError):
        return f"no HTTP answer ({said})"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        said += "; enrolling takes a server's own authority as --ca FILE"
    return f"no TLS connection ({said})" if said.startswith("[SSL") else said


def _parse(server_url: str) -> SplitResult:
    fault = f"{server_url}: a server's address looks like http://host:8000"
    try:
        url = urlsplit(server_url)
        is_whole = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError as error:
        raise ValueError(f"{fault} ({error})") from error
    if url.scheme not in ("http", "https") or not is_whole or "@" in url.netloc or url.query or url.fragment:
        raise ValueError(fault)
    if any(not " " < letter < "\x7f" for letter in server_url):
        raise ValueError(f"{fault}, in ASCII (an international name in its xn-- form)")
    return url
