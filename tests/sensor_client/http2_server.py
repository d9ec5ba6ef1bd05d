"""A small HTTP/2 server inside TLS, which answers as a test says; to whoever does not choose HTTP/2, over HTTP/1.1."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import H2Error

from tests.cloud_server.harness.certificates import write_certificate

Headers = dict[bytes, bytes]
Act = Callable[[H2Connection, int, Headers, bytes], None]
"""Answers a request: the connection, the stream, the request's headers and body."""


def fine(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
    """Answer with the length of the body."""
    http.send_headers(stream, [(":status", "200"), ("x-said", "fine")])
    http.send_data(stream, b"%d" % len(body), end_stream=True)


class Http2Server:
    """Start with `with`. `offers` are the protocols that it would speak."""

    def __init__(self, folder: Path, act: Act = fine, offers: tuple[str, ...] = ("h2", "http/1.1")) -> None:
        certificate, key = write_certificate(folder / "certificate")
        self.authorities = certificate.read_text()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(list(offers))
        self._act = act
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self.protocols: list[str | None] = []
        self.heads: list[Headers] = []

    def __enter__(self) -> "Http2Server":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, H2Error), self._context.wrap_socket(connection, server_side=True) as secure:
            self._connections.append(secure)
            self.protocols.append(secure.selected_alpn_protocol())
            if self.protocols[-1] == "h2":
                self._speak(secure)
            else:
                while b"\r\n\r\n" in secure.recv(65536):
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")

    def _speak(self, secure: ssl.SSLSocket) -> None:
        http = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        http.initiate_connection()
        secure.sendall(http.data_to_send())
        heads: dict[int, Headers] = {}
        bodies: dict[int, bytes] = {}
        while data := secure.recv(65536):
            for event in http.receive_data(data):
                if isinstance(event, RequestReceived):
                    heads[event.stream_id], bodies[event.stream_id] = dict(event.headers), b""
                    self.heads.append(heads[event.stream_id])
                elif isinstance(event, DataReceived):
                    bodies[event.stream_id] += event.data
                    http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    number = event.stream_id
                    self._act(http, number, heads[number], bodies[number])
            secure.sendall(http.data_to_send())
