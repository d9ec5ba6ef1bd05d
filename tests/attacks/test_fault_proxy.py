"""The proxy that the attacks stand on does what each fault says: a fault that does nothing would prove nothing."""

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from harness.fault_proxy import FaultProxy
from harness.faults import (
    AnswerItself,
    Cut,
    Delay,
    Drip,
    Endless1xx,
    EndlessBody,
    EndlessHead,
    Fault,
    ProxiedReply,
    Raw,
    Refuse,
    Replace,
    Replay,
    Silence,
)
from tests.attacks.harness import AttackHarness

PATH = "/openapi.json"


@pytest.fixture
def proxy(harness: AttackHarness) -> Iterator[FaultProxy]:
    with FaultProxy(harness.harness.addresses["device"]) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=0.5, trust_env=False) as client:
        yield client


def what_comes(proxy: FaultProxy, seconds: float, request: bytes = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """The bytes that come within so many seconds."""
    url, received, end = httpx.URL(proxy.url), bytearray(), time.monotonic() + seconds
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(request)
        while (left := end - time.monotonic()) > 0 and len(received) < 1 << 20:
            connection.settimeout(left)
            try:
                piece = connection.recv(1 << 16)
            except TimeoutError:
                break
            if not piece:
                break
            received += piece
    return bytes(received)


def test_without_rules_requests_are_forwarded_and_noted(
    harness: AttackHarness, proxy: FaultProxy, client: httpx.Client
) -> None:
    posted = client.post(
        "/v1/frames", content=harness.frame, headers={"dw-sequence": str(harness.numbers(1)), **bearer(harness)}
    )
    direct = harness.harness.client("device").get(PATH)
    assert posted.status_code == 200
    assert client.get(PATH).content == direct.content
    assert [(request.method, request.path) for request in proxy.requests] == [("POST", "/v1/frames"), ("GET", PATH)]
    assert proxy.requests[0].body == harness.frame


def test_a_rule_is_for_its_method_its_path_and_its_number_of_times(proxy: FaultProxy, client: httpx.Client) -> None:
    proxy.add(PATH, Raw(b"HTTP/1.1 418 -\r\nconnection: close\r\n\r\n"), method="GET", times=2)
    assert client.post(PATH).status_code != 418
    assert client.get("/v1/assignment").status_code == 401
    assert [client.get(PATH).status_code for _ in range(3)] == [418, 418, 200]


def test_replies_are_changed_replayed_and_made_up(proxy: FaultProxy, client: httpx.Client) -> None:
    true = client.get(PATH)
    proxy.add(
        PATH,
        AnswerItself(
            lambda request: ProxiedReply(200, {}, b"no"),
        ),
        times=1,
    )
    assert client.get(PATH).content == b"no"
    proxy.add(PATH, Replace(lambda reply: reply.with_headers(dw_assignment="7")), times=1)
    changed = client.get(PATH)
    assert (changed.headers["dw-assignment"], changed.content) == ("7", true.content)
    proxy.add(PATH, Replay())
    assert client.get(PATH).content == true.content


def test_a_server_that_is_down_breaks_connections_and_is_there_again(proxy: FaultProxy, client: httpx.Client) -> None:
    assert client.get(PATH).status_code == 200
    proxy.go_down()
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            client.get(PATH)
    proxy.come_up()
    assert client.get(PATH).status_code == 200


@pytest.mark.parametrize(
    "fault", [Silence(), Refuse(), Cut(), Cut(at_byte=20), Cut(at_byte=20, with_reset=True), Delay(9)]
)
def test_a_reply_that_does_not_come_whole_is_none(proxy: FaultProxy, client: httpx.Client, fault: Fault) -> None:
    proxy.add(PATH, fault, times=1)
    with pytest.raises(httpx.TransportError):
        client.get(PATH)
    assert client.get(PATH).status_code == 200


def test_a_dripped_reply_comes_by_the_byte(proxy: FaultProxy) -> None:
    proxy.add("/", Drip(bytes_per_second=50), times=1)
    assert 10 <= len(what_comes(proxy, 1.0)) <= 60
    proxy.add("/", Drip(bytes_per_second=50, whole_head=True), times=1)
    head, _, body = what_comes(proxy, 1.0).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    assert 10 <= len(body) <= 60


@pytest.mark.parametrize(("fault", "piece"), [(Endless1xx(), b"HTTP/1.1 199 -\r\n\r\n"), (EndlessHead(), b"x-flood: ")])
def test_a_head_without_end_has_none(proxy: FaultProxy, fault: Fault, piece: bytes) -> None:
    proxy.add("/", fault)
    assert what_comes(proxy, 0.5).count(piece) > 10


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_without_end_has_none(proxy: FaultProxy, is_chunked: bool) -> None:
    proxy.add("/", EndlessBody(is_chunked=is_chunked))
    assert len(what_comes(proxy, 5.0)) >= 1 << 20


def bearer(harness: AttackHarness) -> dict[str, str]:
    """The attacker's own token."""
    return {"authorization": f"Bearer {harness.attacker.token}"}
