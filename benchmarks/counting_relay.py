"""A socket between a client and a server that passes everything on and counts the bytes each way."""

import socket
import threading
from types import TracebackType
from typing import Self

READ_BYTES = 1 << 16


class CountingRelay:
    """A context; the client connects to `address`. Bytes are counted before they are passed on.

    Attributes:
        sent_bytes: from the client to the server so far.
        received_bytes: from the server to the client so far.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = {self._listener}
        self.sent_bytes = 0
        self.received_bytes = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port where it listens."""
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in list(self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(self._server)
            self._sockets |= {client, server}
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        replies = threading.Thread(target=self._pass_replies, args=(server, client), daemon=True)
        replies.start()
        self._pass_requests(client, server)
        replies.join()
        for each in (client, server):
            self._sockets.discard(each)
            each.close()

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        while data := _read(client):
            self._count_request(data)
            _write(server, data)
        _end(server)

    def _pass_replies(self, server: socket.socket, client: socket.socket) -> None:
        while data := _read(server):
            self._count_reply(data)
            _write(client, data)
        _end(client)

    def _count_request(self, data: bytes) -> None:
        self.sent_bytes += len(data)

    def _count_reply(self, data: bytes) -> None:
        self.received_bytes += len(data)


def _read(each: socket.socket) -> bytes:
    try:
        return each.recv(READ_BYTES)
    except OSError:  # closed here, or reset there
        return b""


def _write(each: socket.socket, data: bytes) -> None:
    try:
        each.sendall(data)
    except OSError:  # nobody reads there any more; who writes here will see it
        return


def _end(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_WR)
    except OSError:  # it has ended already
        return
