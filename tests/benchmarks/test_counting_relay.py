"""The socket that counts: what it says is what passed, each way."""

import socket

from benchmarks.counting_relay import CountingRelay


def test_every_byte_is_passed_on_and_counted_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        CountingRelay(server.getsockname()) as relay,
        socket.create_connection(relay.address) as client,
        server.accept()[0] as far,
    ):
        client.sendall(b"q" * 300_000)
        assert _read(far, 300_000) == b"q" * 300_000
        far.sendall(b"answer")
        assert _read(client, 6) == b"answer"
        assert (relay.sent_bytes, relay.received_bytes) == (300_000, 6)
        far.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def _read(each: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := each.recv(count)):
        data += piece
    return data
