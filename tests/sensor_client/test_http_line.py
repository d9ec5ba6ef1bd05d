"""The one door to httpx."""

import contextlib
import socket
import ssl
import threading
from collections import Counter as Counts
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.counting_relay import CountingRelay
from sensor_client import http_line
from sensor_client.clock import SystemClock
from sensor_client.http_line import HttpLine
from sensor_client.replies import refusal
from sensor_client.traffic import Purpose
from shared.errors import ChannelError
from shared.proxies import ProxyError
from tests.cloud_server.harness.certificates import write_certificate
from tests.http_proxy import HttpProxy
from tests.sensor_client.device_plane import Answer, DevicePlane
from tests.sensor_client.fakes import FakeClock


@pytest.fixture
def plane() -> Iterator[DevicePlane]:
    with DevicePlane() as plane:
        yield plane


def test_only_the_headers_that_were_asked_for_are_sent(plane: DevicePlane) -> None:
    with HttpLine(plane.url, SystemClock()) as line:
        line.exchange("POST", "/v1/frames", {"DW-Sequence": "7"}, b"body")

    assert sorted(plane.requests[0].headers) == ["content-length", "dw-sequence", "host"]


def test_one_connection_serves_many_requests(plane: DevicePlane) -> None:
    with HttpLine(plane.url, SystemClock()) as line:
        for _ in range(3):
            line.exchange("GET", "/v1/assignment")

    assert (plane.connections, len(plane.requests)) == (1, 3)


def test_a_server_that_is_not_there_is_a_channel_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with HttpLine(f"http://127.0.0.1:{port}", SystemClock()) as line, pytest.raises(ChannelError, match="GET http"):
        line.exchange("GET", "/v1/assignment")


def test_a_reply_cut_short_is_a_channel_error() -> None:
    say = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
    with _server_that_says(say) as url, HttpLine(url, SystemClock()) as line, pytest.raises(ChannelError):
        line.exchange("GET", "/")


def test_a_reply_that_is_not_http_is_a_channel_error() -> None:
    say = b"220 smtp.example ready\r\n"
    with _server_that_says(say) as url, HttpLine(url, SystemClock()) as line, pytest.raises(ChannelError):
        line.exchange("GET", "/")


def test_a_reply_over_the_limit_is_a_channel_error(plane: DevicePlane) -> None:
    plane.scripted.append(("/big", Answer(200, {}, bytes(http_line.REPLY_LIMIT_BYTES + 1))))

    with HttpLine(plane.url, SystemClock()) as line, pytest.raises(ChannelError, match="longer than"):
        line.exchange("GET", "/big")


@pytest.mark.parametrize(("limit_bytes", "is_taken"), [(100, True), (99, False)])
def test_a_question_may_have_a_limit_of_its_own(plane: DevicePlane, limit_bytes: int, is_taken: bool) -> None:
    plane.scripted.append(("/small", Answer(200, {}, bytes(100))))
    with HttpLine(plane.url, SystemClock()) as line:
        if is_taken:
            assert line.exchange("GET", "/small", limit_bytes=limit_bytes).body == bytes(100)
        else:
            with pytest.raises(ChannelError, match="longer than 99 bytes"):
                line.exchange("GET", "/small", limit_bytes=limit_bytes)


def test_a_question_may_have_a_deadline_of_its_own(plane: DevicePlane) -> None:
    plane.hold("/held")
    with HttpLine(plane.url, SystemClock()) as line, pytest.raises(ChannelError):
        line.exchange("GET", "/held", seconds=0.2)


def test_a_reply_that_drips_is_given_up_at_the_deadline(plane: DevicePlane) -> None:
    class Impatient(FakeClock):
        def monotonic_seconds(self) -> float:
            self.elapsed_seconds += 20.0
            return self.elapsed_seconds

    plane.scripted.append(("/slow", Answer(200, {}, bytes(1_000_000))))

    with HttpLine(plane.url, Impatient()) as line, pytest.raises(ChannelError, match="within 30 s"):
        line.exchange("GET", "/slow")


def test_redirects_are_not_followed(plane: DevicePlane) -> None:
    plane.scripted.append(("/v1/assignment", Answer(302, {"Location": "http://portal.example/login"})))

    with HttpLine(plane.url, SystemClock()) as line:
        assert line.exchange("GET", "/v1/assignment").status == 302


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|port|URL"):
        HttpLine(url, SystemClock())


def test_another_host_is_reached_through_the_proxy_and_loopback_never(plane: DevicePlane) -> None:
    port = plane.url.rpartition(":")[2]
    with HttpProxy() as proxy:
        environment = {"HTTP_PROXY": proxy.url}
        for url in (f"http://cameras.example:{port}", plane.url):
            with HttpLine(url, SystemClock(), environment) as line:
                line.exchange("POST", "/v1/frames", {"DW-Sequence": "7"}, b"body")
        assert proxy.asked == [f"POST http://cameras.example:{port}/v1/frames"]
    assert [request.body for request in plane.requests] == [b"body", b"body"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_fails_behind_a_proxy_names_the_proxy(scheme: str) -> None:
    with HttpProxy(refusal=502) as proxy:
        url, environment = f"{scheme}://cameras.example", {"ALL_PROXY": proxy.url}
        with HttpLine(url, SystemClock(), environment) as line, pytest.raises(ChannelError, match="through the proxy"):
            raise refusal(line.exchange("GET", "/v1/assignment"), 0.0)
    with HttpLine(url, SystemClock(), environment) as line, pytest.raises(ChannelError, match="that ALL_PROXY names"):
        line.exchange("GET", "/v1/assignment")


def test_a_proxy_that_cannot_be_used_is_told_at_once_where_it_is_needed(plane: DevicePlane) -> None:
    environment = {"ALL_PROXY": "socks5://proxy.example:1080", "NO_PROXY": "[::1]"}
    with pytest.raises(ProxyError, match="ALL_PROXY names a SOCKS proxy"):
        HttpLine("http://cameras.example", SystemClock(), environment)
    with HttpLine(plane.url, SystemClock(), environment) as line:
        assert line.exchange("GET", "/v1/assignment").status


class _server_that_says:  # noqa: N801 - reads as a sentence
    def __init__(self, reply: bytes) -> None:
        self._reply = reply
        self._server = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(self._reply)


@pytest.mark.parametrize("is_pinned", [True, False])
def test_a_pinned_authority_alone_vouches_for_an_https_server(tmp_path: Path, is_pinned: bool) -> None:
    own, other = (write_certificate(tmp_path / name) for name in ("own", "other"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    authorities = (own if is_pinned else other)[0].read_text()
    with _tls_server(context) as url, HttpLine(url, SystemClock(), authorities=authorities) as line:
        if is_pinned:
            assert line.exchange("GET", "/").body == b"fine"
        else:
            with pytest.raises(ChannelError, match="no TLS connection"):
                line.exchange("GET", "/")


class Counter:
    """Counts what a line tells of itself, by what it was for."""

    def __init__(self) -> None:
        self.sent: Counts[Purpose] = Counts()
        self.received: Counts[Purpose] = Counts()

    def ask(self, purpose: Purpose, request_bytes: int) -> None:
        """Let everything go."""

    def count(self, purpose: Purpose, *, sent: int = 0, received: int = 0) -> None:
        self.sent[purpose] += sent
        self.received[purpose] += received


def test_each_byte_at_the_socket_is_counted_for_its_purpose(plane: DevicePlane) -> None:
    counter = Counter()
    with (
        CountingRelay(_address(plane.url)) as relay,
        HttpLine(_url(relay, "http"), SystemClock(), meter=counter) as line,
    ):
        line.exchange("POST", "/v1/frames", {"DW-Sequence": "7"}, bytes(5000), purpose=Purpose.FRAMES)
        for_frames = relay.sent_bytes, relay.received_bytes
        line.exchange("GET", "/openapi.json", purpose=Purpose.UPDATES)

        assert (counter.sent[Purpose.FRAMES], counter.received[Purpose.FRAMES]) == for_frames
        assert sum(counter.sent.values()) == relay.sent_bytes and sum(counter.received.values()) == relay.received_bytes


@pytest.mark.parametrize("is_trusted", [True, False])
def test_tls_is_counted_with_its_handshake_also_where_that_fails(tmp_path: Path, is_trusted: bool) -> None:
    own, other = (write_certificate(tmp_path / name) for name in ("own", "other"))
    context, counter = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), Counter()
    context.load_cert_chain(*own)
    authorities = (own if is_trusted else other)[0].read_text()
    with contextlib.ExitStack() as relayed:
        with _tls_server(context) as url:  # it hears the end of what is said before the relay goes
            relay = relayed.enter_context(CountingRelay(_address(url)))
            with (
                HttpLine(_url(relay, "https"), SystemClock(), authorities=authorities, meter=counter) as line,
                contextlib.nullcontext() if is_trusted else pytest.raises(ChannelError, match="no TLS connection"),
            ):
                line.exchange("GET", "/", purpose=Purpose.FRAMES)
        counted = counter.sent[Purpose.FRAMES], counter.received[Purpose.FRAMES]

    assert counted == (relay.sent_bytes, relay.received_bytes) and counted[1] > 500


def _address(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2])


def _url(relay: CountingRelay, scheme: str) -> str:
    return f"{scheme}://127.0.0.1:{relay.address[1]}"


def test_a_file_without_a_certificate_pins_nothing() -> None:
    with pytest.raises(ValueError, match="no certificate"):
        HttpLine("https://cameras.example", SystemClock(), authorities="none here")


@contextlib.contextmanager
def _tls_server(context: ssl.SSLContext) -> Iterator[str]:
    """Says `fine` to one request over TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()
