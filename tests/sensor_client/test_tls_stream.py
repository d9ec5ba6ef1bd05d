"""TLS over a stream that somebody counts."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpcore
import pytest

from sensor_client.tls_stream import TlsStream
from tests.cloud_server.harness.certificates import write_certificate

Serve = Callable[[ssl.SSLSocket], None]


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, Path]:
    return write_certificate(tmp_path / "own")


@pytest.fixture
def trusting(authority: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority[0])


@contextlib.contextmanager
def server(authority: tuple[Path, Path], serve: Serve) -> Iterator[int]:
    """Gives one connection inside TLS to `serve`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secure:
                    serve(secure)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def connected(port: int) -> httpcore.NetworkStream:
    return httpcore.SyncBackend().connect_tcp("127.0.0.1", port, 5.0)


def test_what_is_said_on_either_side_is_heard_on_the_other_however_long_it_is(
    authority: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    said = bytes(range(256)) * 1000

    def echo(secure: ssl.SSLSocket) -> None:
        heard = b""
        while len(heard) < len(said):
            heard += secure.recv(65536)
        secure.sendall(heard)

    with server(authority, echo) as port, contextlib.closing(connected(port)) as below:
        stream = TlsStream(below, trusting, "127.0.0.1", 5.0)
        stream.write(said, 5.0)
        heard = b""
        while len(heard) < len(said):
            heard += stream.read(5000, 5.0)

        assert heard == said
        assert stream.get_extra_info("ssl_object").version().startswith("TLSv1")
        assert stream.get_extra_info("socket") is below.get_extra_info("socket")


@pytest.mark.parametrize("is_orderly", [True, False])
def test_the_end_of_the_peer_is_the_end_of_what_is_read(
    authority: tuple[Path, Path], trusting: ssl.SSLContext, is_orderly: bool
) -> None:
    def end(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"bye")
        if is_orderly:
            secure.unwrap()

    with server(authority, end) as port, contextlib.closing(connected(port)) as below:
        stream = TlsStream(below, trusting, "127.0.0.1", 5.0)
        assert stream.read(100, 5.0) == b"bye"
        assert stream.read(100, 5.0) == b""


def test_a_certificate_that_nobody_vouches_for_is_told_as_such_and_the_stream_below_is_closed(
    authority: tuple[Path, Path],
) -> None:
    with server(authority, lambda secure: None) as port:
        below = connected(port)
        with pytest.raises(httpcore.ConnectError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            TlsStream(below, ssl.create_default_context(), "127.0.0.1", 5.0)

    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert below.get_extra_info("socket").fileno() == -1


def test_what_is_no_tls_is_no_connection(trusting: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        below = connected(listener.getsockname()[1])
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            with pytest.raises(httpcore.ConnectError):
                TlsStream(below, trusting, "127.0.0.1", 5.0)
