"""HTTP/2 with few bytes, against a server that may do as it likes."""

from collections.abc import Callable
from pathlib import Path

import httpcore
import pytest

pytest.importorskip("h2")

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from sensor_client.clock import SystemClock
from sensor_client.errors import LineTimeoutError
from sensor_client.http2_connection import Http2Connection
from sensor_client.http_line import HttpLine
from sensor_client.traffic import Purpose
from shared.errors import ChannelError
from tests.sensor_client.http2_server import Headers, Http2Server, fine


class Counter:
    """Counts what crosses the socket, each time anew."""

    def __init__(self) -> None:
        self.sent = self.received = 0

    def ask(self, purpose: Purpose, request_bytes: int) -> None:
        self.sent = self.received = 0

    def count(self, purpose: Purpose, *, sent: int = 0, received: int = 0) -> None:
        self.sent += sent
        self.received += received


def line_to(server: Http2Server, meter: Counter | None = None) -> HttpLine:
    return HttpLine(server.url, SystemClock(), authorities=server.authorities, meter=meter)


def test_requests_follow_each_other_on_one_connection_and_name_what_they_are_for(tmp_path: Path) -> None:
    with Http2Server(tmp_path) as server, line_to(server) as line:
        replies = [line.exchange("POST", "/v1/frames", {"DW-Sequence": str(n)}, bytes(n)) for n in range(1, 6)]

    assert [(reply.status, reply.body, reply.headers["x-said"]) for reply in replies] == [
        (200, b"%d" % n, "fine") for n in range(1, 6)
    ]
    assert server.protocols == ["h2"]
    assert server.heads[0] == {
        b":method": b"POST",
        b":scheme": b"https",
        b":authority": server.url.removeprefix("https://").encode(),
        b":path": b"/v1/frames",
        b"dw-sequence": b"1",
        b"content-length": b"1",
    }


def test_a_token_costs_a_byte_from_the_second_request_on(tmp_path: Path) -> None:
    meter, token = Counter(), {"Authorization": f"Bearer {'x' * 22}", "Prefer": "return=minimal"}
    sent = []
    with Http2Server(tmp_path) as server, line_to(server, meter) as line:
        for _ in range(3):
            line.exchange("POST", "/v1/frames:batch", token, bytes(1000))
            sent.append(meter.sent)

    records = 22  # of one TLS record
    assert sent[1] == sent[2] <= 1000 + 9 + 9 + 7 + records + records


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_500_000])
def test_bodies_of_any_size_go_out_whole(tmp_path: Path, size: int) -> None:
    with Http2Server(tmp_path) as server, line_to(server) as line:
        for _ in range(2):
            assert line.exchange("POST", "/v1/frames", {}, bytes(size)).body == b"%d" % size

    assert server.protocols == ["h2"]


def test_a_reply_may_be_larger_than_any_window_and_is_limited_all_the_same(tmp_path: Path) -> None:
    def much(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
        http.send_headers(stream, [(":status", "200")])
        while (room := min(http.local_flow_control_window(stream), http.max_outbound_frame_size)) > 0:
            http.send_data(stream, bytes(room))
        http.end_stream(stream)

    with Http2Server(tmp_path, much) as server, line_to(server) as line:
        assert len(line.exchange("GET", "/").body) == 65_535
        with pytest.raises(ChannelError, match="longer than 1000 bytes"):
            line.exchange("GET", "/", limit_bytes=1000)
        assert len(line.exchange("GET", "/").body) == 65_535


class Peer(httpcore.NetworkStream):
    """A server in memory. It acts on each thing that it hears, and says what it has to at once."""

    def __init__(self, act: Callable[[H2Connection, Event], None]) -> None:
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.http.initiate_connection()
        self._act = act

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self.http.data_to_send()
        if not data:
            raise httpcore.ReadTimeout
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for event in self.http.receive_data(buffer):
            self._act(self.http, event)

    def get_extra_info(self, info: str) -> bool:
        return info == "is_readable"

    def close(self) -> None:
        return


def asked(connection: Http2Connection, body: bytes) -> tuple[int, bytes]:
    waits = {"timeout": {"read": 1.0, "write": 1.0}}
    response = connection.handle_request(
        httpcore.Request("POST", "https://server/v1/frames", content=body, extensions=waits)
    )
    return response.status, response.read()


def test_an_answer_that_comes_before_the_request_is_whole_is_taken_and_ends_the_connection() -> None:
    def refuse(http: H2Connection, event: Event) -> None:
        if isinstance(event, RequestReceived):  # and no window is ever opened again
            http.send_headers(event.stream_id, [(":status", "413")], end_stream=True)

    connection = Http2Connection(Peer(refuse), 1.0)

    assert asked(connection, bytes(200_000)) == (413, b"")
    assert not connection.is_usable()


def test_a_server_that_leaves_while_nothing_is_asked_is_asked_no_more() -> None:
    def answer(http: H2Connection, event: Event) -> None:
        if isinstance(event, StreamEnded):
            fine(http, event.stream_id, {}, b"jpeg")

    peer = Peer(answer)
    connection = Http2Connection(peer, 1.0)
    assert asked(connection, b"jpeg") == (200, b"4") and connection.is_usable()

    peer.http.close_connection()

    assert not connection.is_usable()


@pytest.mark.parametrize("size", [4, 200_000], ids=["a whole request", "one that waits for a window"])
def test_a_server_that_leaves_without_serving_a_request_ends_its_exchange_at_once(size: int) -> None:
    heard_bytes = 0

    def leave_unserved(http: H2Connection, event: Event) -> None:
        nonlocal heard_bytes
        heard_bytes += len(event.data) if isinstance(event, DataReceived) else 0
        if heard_bytes == min(size, 65_535) and isinstance(event, DataReceived):
            http.close_connection(last_stream_id=0)  # the connection stays open, and says nothing more

    connection = Http2Connection(Peer(leave_unserved), 1.0)

    with pytest.raises(httpcore.RemoteProtocolError, match="not served"):
        asked(connection, bytes(size))
    assert not connection.is_usable()


def test_no_server_may_push_what_nobody_asked_for() -> None:
    peer = Peer(lambda *_: None)
    Http2Connection(peer, 1.0)

    assert peer.http.remote_settings.enable_push == 0


def reset(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
    http.reset_stream(stream)


def leave(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
    http.close_connection()


def reset_half_way(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
    http.send_headers(stream, [(":status", "200")])
    http.send_data(stream, b"half")
    http.reset_stream(stream)


@pytest.mark.parametrize("fault", [reset, leave, reset_half_way])
def test_a_fault_costs_its_connection_and_the_next_request_has_another(tmp_path: Path, fault: object) -> None:
    faults = [fault]

    def once(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
        (faults.pop() if faults else fine)(http, stream, headers, body)  # type: ignore[operator]

    with Http2Server(tmp_path, once) as server, line_to(server) as line:
        with pytest.raises(ChannelError, match="no HTTP answer"):
            line.exchange("POST", "/v1/frames", {}, b"jpeg")
        assert line.exchange("POST", "/v1/frames", {}, b"jpeg").body == b"4"

    assert server.protocols == ["h2", "h2"]


def test_a_server_that_leaves_after_an_answer_is_met_again_on_a_new_connection(tmp_path: Path) -> None:
    def answer_and_leave(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
        fine(http, stream, headers, body)
        http.close_connection()

    with Http2Server(tmp_path, answer_and_leave) as server, line_to(server) as line:
        for _ in range(3):
            assert line.exchange("POST", "/v1/frames", {}, b"jpeg").body == b"4"

    assert server.protocols == ["h2"] * 3


def test_silence_ends_at_the_deadline_of_the_exchange(tmp_path: Path) -> None:
    acts = [fine, lambda *_: None]

    def act(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
        acts.pop()(http, stream, headers, body)

    with Http2Server(tmp_path, act) as server, line_to(server) as line:
        with pytest.raises(LineTimeoutError):
            line.exchange("POST", "/v1/frames", {}, b"jpeg", seconds=0.2)
        assert line.exchange("POST", "/v1/frames", {}, b"jpeg").body == b"4"


@pytest.mark.parametrize("status", ["2" * 5000, "99999", "20", "020"])
def test_a_status_that_is_none_is_a_fault_of_the_line(tmp_path: Path, status: str) -> None:
    def odd(http: H2Connection, stream: int, headers: Headers, body: bytes) -> None:
        http.send_headers(stream, [(":status", status)], end_stream=True)

    no_status = pytest.raises(ChannelError, match="an answer without a status")
    with Http2Server(tmp_path, odd) as server, line_to(server) as line, no_status:
        line.exchange("POST", "/v1/frames", {}, b"jpeg")
