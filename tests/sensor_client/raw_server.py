"""A server that says exactly the bytes that a test gives it, as slowly as it likes: what no HTTP library would send."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

DRIP_SECONDS = 0.002

Says = Callable[[socket.socket], None]


class RawServer:
    """Answers each request by the next of `says`, the last one again and again. Start with `with`."""

    def __init__(self, *says: Says) -> None:
        self._says = says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.requests: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "RawServer":
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
            self.connections += 1
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := _request(connection):
                with self._lock:
                    says = self._says[min(len(self.requests), len(self._says) - 1)]
                    self.requests.append(request)
                says(connection)


def whole(data: bytes) -> Says:
    """Say this at once."""
    return lambda connection: connection.sendall(data)


def dripping(begin: bytes, drop: bytes) -> Says:
    """Say the beginning, then a drop now and then, for ever."""

    def say(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(drop)
            time.sleep(DRIP_SECONDS)

    return say


def endless(begin: bytes, more: bytes) -> Says:
    """Say the beginning, then as much as is taken, for ever."""

    def say(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(more)

    return say


def _request(connection: socket.socket) -> bytes:
    """The head and body of the next request; b"" where there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
