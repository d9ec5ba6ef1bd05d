"""HTTP/2 on one connection, for one exchange at a time, with as few bytes as it can be spoken in. The one door to h2.

httpcore speaks it, too, but leaves the token out of the compression's table, and sends a window and an empty frame with
each request: 47 bytes a request. The token may be in the table: nobody else puts anything into requests here, so there
is nothing to guess it by (RFC 7541 7.1).
"""

import re
from collections.abc import Iterator

import httpcore
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

READ_BYTES = 64 * 1024
STALE_SECONDS = 0.05
"""How long is waited for what an idle connection seems to have: there may be nothing but TLS's own."""
_LEFT_OUT = frozenset({b"host", b"connection", b"transfer-encoding"})
_STATUS = re.compile(rb"[1-9][0-9]{2}")  # RFC 9110 15


class Http2Connection(httpcore.ConnectionInterface):
    """Carries one exchange after another, until a fault, or an answer that came before its request was whole.

    Raises (all methods):
        httpcore.RemoteProtocolError: the peer does not keep to HTTP/2, or ends the stream or the connection.
        httpcore.NetworkError, httpcore.TimeoutException: the stream below.
    """

    def __init__(self, stream: httpcore.NetworkStream, timeout: float) -> None:
        """Greet the peer, which chose HTTP/2 in the handshake."""
        self._stream = stream
        # What is left out by that is right as it is: names in lower case, no header of one connection alone.
        config = H2Configuration(client_side=True, header_encoding=None, normalize_outbound_headers=False)
        self._http = H2Connection(config)
        self._http.local_settings = Settings(client=True, initial_values={SettingCodes.ENABLE_PUSH: 0})
        self._is_usable = True
        self._is_leaving = False
        self._heard: tuple[Event, ...] = ()
        self._http.initiate_connection()
        self._say(timeout)

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request and wait for the head of its answer; the body is read from the response's stream."""
        waits = request.extensions["timeout"]
        try:
            number = self._send(request, waits["write"], waits["read"])
            for event in self._events(number, waits["read"]):
                if isinstance(event, ResponseReceived) and event.stream_id == number:
                    return self._response(event, number, waits["read"])
        except H2Error as error:
            raise httpcore.RemoteProtocolError(str(error)) from error
        raise httpcore.RemoteProtocolError("the connection ended before an answer")

    def is_usable(self) -> bool:
        """Whether another exchange may begin; hears what the peer said meanwhile."""
        try:
            while self._is_usable and self._stream.get_extra_info("is_readable"):
                self._hear(STALE_SECONDS)
        except httpcore.ReadTimeout:
            return self._is_usable
        except (H2Error, httpcore.NetworkError, httpcore.RemoteProtocolError):
            return False
        return self._is_usable

    def close(self) -> None:
        self._is_usable = False
        self._stream.close()

    def _send(self, request: httpcore.Request, write_seconds: float, read_seconds: float) -> int:
        self._is_usable = False  # until all of the answer is here
        number = self._http.get_next_available_stream_id()
        body = b"".join(request.stream)  # type: ignore[arg-type]
        self._http.send_headers(number, _head_of(request), end_stream=not body)
        sent = 0
        while sent < len(body):
            window = min(self._http.local_flow_control_window(number), self._http.max_outbound_frame_size)
            if window <= 0:
                self._say(write_seconds)
                self._heard += self._hear(read_seconds)
                if any(
                    isinstance(event, ResponseReceived | StreamReset) or _is_unserved(event, number)
                    for event in self._heard
                ):
                    self._is_leaving = True  # it is answered before it is whole, or never will be
                    return number
                continue
            self._http.send_data(number, body[sent : sent + window], end_stream=sent + window >= len(body))
            sent += window
            if sent < len(body):
                self._say(write_seconds)
        self._say(write_seconds)
        return number

    def _events(self, number: int, timeout: float) -> Iterator[Event]:
        """What the peer says, as it comes; ends never but with a fault."""
        while True:
            heard, self._heard = self._heard, ()
            for index, event in enumerate(heard):
                if isinstance(event, StreamReset):
                    raise httpcore.RemoteProtocolError(f"the stream was reset ({event.error_code})")
                if _is_unserved(event, number):
                    raise httpcore.RemoteProtocolError("the peer leaves, and has not served this request")
                self._heard = heard[index + 1 :]
                yield event
            self._heard = self._hear(timeout)

    def _response(self, event: ResponseReceived, number: int, timeout: float) -> httpcore.Response:
        headers = [(bytes(name), bytes(value)) for name, value in event.headers]
        status = next((value for name, value in headers if name == b":status"), b"")
        if not _STATUS.fullmatch(status):
            raise httpcore.RemoteProtocolError("an answer without a status")
        plain = [(name, value) for name, value in headers if not name.startswith(b":")]
        return httpcore.Response(int(status), headers=plain, content=_Body(self._body_of(number, timeout)))

    def _body_of(self, number: int, timeout: float) -> Iterator[bytes]:
        try:
            for event in self._events(number, timeout):
                if isinstance(event, DataReceived) and event.stream_id == number:
                    self._http.acknowledge_received_data(event.flow_controlled_length, number)
                    self._say(timeout)
                    yield event.data
                elif isinstance(event, StreamEnded) and event.stream_id == number:
                    self._is_usable = not self._is_leaving
                    return
        except H2Error as error:
            raise httpcore.RemoteProtocolError(str(error)) from error

    def _hear(self, timeout: float) -> tuple[Event, ...]:
        data = self._stream.read(READ_BYTES, timeout)
        if not data:
            self._is_usable = False
            raise httpcore.RemoteProtocolError("the peer ended the connection")
        events = tuple(self._http.receive_data(data))
        if any(isinstance(event, ConnectionTerminated) for event in events):
            self._is_leaving, self._is_usable = True, False
        self._say(timeout)
        return events

    def _say(self, timeout: float) -> None:
        data = self._http.data_to_send()
        if data:
            self._stream.write(data, timeout)


class _Body:
    """What a response is read from: closing it is nothing, for its connection goes on or is dropped as a whole."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        return


def _is_unserved(event: Event, number: int) -> bool:
    """Whether the peer leaves and says that it will not serve this stream (RFC 9113 6.8)."""
    return isinstance(event, ConnectionTerminated) and (event.last_stream_id or 0) < number


def _head_of(request: httpcore.Request) -> list[tuple[bytes, bytes]]:
    named = [(name.lower(), value) for name, value in request.headers]
    authority = next((value for name, value in named if name == b"host"), b"")
    return [
        (b":method", request.method),
        (b":scheme", request.url.scheme),
        (b":authority", authority),
        (b":path", request.url.target),
        *((name, value) for name, value in named if name not in _LEFT_OUT),
    ]
