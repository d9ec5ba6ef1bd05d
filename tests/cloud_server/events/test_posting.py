"""How a webhook goes out: over real sockets, to receivers that do what receivers do."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_server.events.endpoints import Endpoint
from cloud_server.events.posting import ANSWER_BYTES_MAX, READ_BYTES, Outcome, Poster
from shared.proxies import Proxy
from tests.cloud_server.harness.certificates import write_certificate
from tests.cloud_server.harness.receivers import OK, Answer, Receiver
from tests.http_proxy import HttpProxy
from tests.ports import free_ports


def posted(url: str, times: int = 1, deadline_seconds: float = 20.0, proxy: Proxy | None = None) -> list[Outcome]:
    """The outcomes of so many posts after each other."""

    async def go() -> list[Outcome]:
        poster = Poster(deadline_seconds)
        try:
            endpoint = Endpoint("pager", url, Path(), proxy=proxy)
            return [await poster.post(endpoint, {"webhook-id": "a"}, b"{}") for _ in range(times)]
        finally:
            await poster.close()

    return asyncio.run(go())


@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_2xx_means_that_it_was_taken(status: int) -> None:
    with Receiver(lambda _: (status, {}, b"")) as receiver:
        assert posted(receiver.url) == [Outcome(None)]
    assert receiver.got[0].headers["content-type"] == "application/json"
    assert receiver.got[0].body == b"{}"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((500, {}, b"no"), Outcome("answered 500")),
        ((410, {}, b""), Outcome("answered 410")),
        ((503, {"retry-after": "90"}, b""), Outcome("answered 503", 90.0)),
        ((503, {"retry-after": "Mon, 30 Nov 2026 11:00:00 GMT"}, b""), Outcome("answered 503")),
        ((503, {"retry-after": "99999999999"}, b""), Outcome("answered 503")),
    ],
)
def test_any_other_answer_is_a_failure(answer: Answer, outcome: Outcome) -> None:
    with Receiver(lambda _: answer) as receiver:
        assert posted(receiver.url) == [outcome]


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as elsewhere, Receiver(lambda _: (307, {"location": elsewhere.url}, b"")) as receiver:
        assert posted(receiver.url) == [Outcome("answered 307")]
    assert elsewhere.got == []


def test_nothing_that_an_answer_says_goes_into_the_next_request() -> None:
    with Receiver(lambda _: (200, {"set-cookie": "a=b"}, b"{}")) as receiver:
        assert posted(receiver.url, times=2) == [Outcome(None)] * 2
    assert receiver.got[1].headers == receiver.got[0].headers


def test_of_an_answer_without_end_only_so_much_is_read() -> None:
    with Receiver(lambda _: (200, {}, bytes(100 * ANSWER_BYTES_MAX))) as receiver:
        assert posted(receiver.url, times=2) == [Outcome(None)] * 2


class Flood:
    """Reads a request, answers with these bytes once, and then with the others until nobody wants more of them."""

    def __init__(self, once: bytes, again: bytes) -> None:
        self.sent = 0
        self._once, self._again = once, again
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._pour)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def _pour(self) -> None:
        connection, _ = self._socket.accept()
        with connection, contextlib.suppress(ConnectionError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            connection.recv(65_536)
            connection.sendall(self._once)
            while True:
                self.sent += connection.send(self._again)

    @classmethod
    @contextlib.contextmanager
    def listening(cls, once: bytes, again: bytes) -> Iterator["Flood"]:
        """One that ends when nobody reads it any more."""
        flood = cls(once, again)
        flood._thread.start()
        try:
            yield flood
            flood._thread.join()
        finally:
            flood._socket.close()


INTERIM = b"HTTP/1.1 103\r\n\r\n"


def test_interim_answers_without_end_are_no_answer_after_so_many_bytes() -> None:
    """The deadline is far away: what ends it is the limit."""
    with Flood.listening(b"", INTERIM * 1_000) as flood:
        assert posted(flood.url, deadline_seconds=600) == [
            Outcome(f"no answer within the first {ANSWER_BYTES_MAX} bytes")
        ]


@pytest.mark.parametrize(("status", "outcome"), [(b"200 OK", Outcome(None)), (b"500 No", Outcome("answered 500"))])
def test_a_body_cut_into_ever_more_chunks_is_read_to_the_limit_and_its_status_counts(
    status: bytes, outcome: Outcome
) -> None:
    head = b"HTTP/1.1 " + status + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    with Flood.listening(head, b"1\r\na\r\n" * 1_000) as flood:
        assert posted(flood.url, deadline_seconds=600) == [outcome]


def test_other_tasks_have_their_turn_while_an_endpoint_pours() -> None:
    """Between two turns no more is taken apart than one read."""
    turns = 0

    async def go(url: str) -> None:
        nonlocal turns
        poster = Poster(600)
        posting = asyncio.create_task(poster.post(Endpoint("pager", url, Path()), {}, b"{}"))
        while not posting.done():
            turns += 1
            await asyncio.sleep(0)
        await poster.close()

    with Flood.listening(b"", INTERIM * 1_000) as flood:
        asyncio.run(go(flood.url))
    assert turns >= ANSWER_BYTES_MAX / READ_BYTES


def test_each_post_over_a_kept_connection_has_the_whole_limit() -> None:
    with Receiver(lambda _: (200, {}, bytes(ANSWER_BYTES_MAX // 2))) as receiver:
        assert posted(receiver.url, times=3) == [Outcome(None)] * 3
    assert len(receiver.connections) == 1


def test_a_receiver_that_does_not_answer_in_time_was_not_told() -> None:
    leave = threading.Event()

    def late(_number: int) -> Answer:
        leave.wait(20)
        return OK

    with Receiver(late) as receiver:
        assert posted(receiver.url, deadline_seconds=0.2) == [Outcome("no whole answer within 0.2 s")]
        leave.set()


def test_an_endpoint_of_https_is_told_if_its_certificate_is_trusted_and_not_if_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = write_certificate(tmp_path)
    with Receiver(certificate=certificate) as receiver:
        [refused] = posted(receiver.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert posted(receiver.url, times=2) == [Outcome(None)] * 2
    assert "certificate verify failed" in str(refused.fault)
    assert len(receiver.got) == 2


def test_nobody_who_listens_is_a_failure() -> None:
    [port] = free_ports(1)
    [outcome] = posted(f"http://127.0.0.1:{port}/")
    assert outcome.fault is not None
    assert outcome.fault.startswith("ConnectError")


def test_what_is_to_go_through_a_proxy_does() -> None:
    with Receiver() as receiver, HttpProxy() as proxy:
        assert posted(receiver.url, proxy=Proxy(proxy.url, "HTTP_PROXY")) == [Outcome(None)]
    assert proxy.asked == [f"POST {receiver.url}"]
    assert len(receiver.got) == 1
