"""Framing: where one request ends and the next begins is not a matter of opinion; what is unclear is refused."""

import pytest

from shared.wire import ProblemCode
from tests.attacks.harness import AttackHarness, everything, send, statuses

MIB = 1 << 20
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"


def post(harness: AttackHarness, *headers: bytes, version: bytes = b"1.1") -> bytes:
    """The head of an upload."""
    lines = [b"POST /v1/frames HTTP/" + version, b"Host: x", b"DW-Sequence: 1", *headers]
    return b"\r\n".join(lines) + b"\r\n" + harness.token + b"\r\n"


AMBIGUOUS = {
    "a length and chunks": (b"Content-Length: 4", CHUNKED),
    "chunks and a length": (CHUNKED, b"Content-Length: 4"),
    "two lengths": (b"Content-Length: 4", b"Content-Length: 5"),
    "two lengths in one": (b"Content-Length: 4, 5",),
    "a length with a sign": (b"Content-Length: +4",),
    "a length below nothing": (b"Content-Length: -4",),
    "a length in hexadecimal": (b"Content-Length: 0x4",),
    "a length too long for any number": (b"Content-Length: " + b"9" * 40,),
    "chunks that are not the last coding": (b"Transfer-Encoding: chunked, identity",),
    "a coding that is nearly ours": (b"Transfer-Encoding: xchunked",),
    "a coding behind a tab": (b"Transfer-Encoding:\x0bchunked",),
    "a space before the colon": (b"Transfer-Encoding : chunked", b"Content-Length: 4"),
    "a folded line": (b"Transfer-Encoding:\r\n chunked", b"Content-Length: 4"),
    "a header without a name": (b": chunked",),
    "a NUL in a value": (b"X-Null: a\0b",),
    "a line that ends in a bare return": (b"X-Bare: a\rTransfer-Encoding: chunked",),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_body_of_unclear_length_is_refused_and_what_follows_is_never_a_request(
    harness: AttackHarness, case: str
) -> None:
    with harness.unharmed(cpu_seconds=2, rss_bytes=32 * MIB), harness.connect() as connection:
        send(connection, post(harness, *AMBIGUOUS[case]) + b"0\r\n\r\n" + SMUGGLED)
        answers = everything(connection)
    assert statuses(answers) in ([400], [413], [415])
    assert b"smuggled" not in answers
    assert b"connection: close" in answers


CHUNKS = {
    "larger than anything": b"ffffffffffffffff\r\n",
    "larger than a number": b"1" + b"0" * 20 + b"\r\n",
    "of negative size": b"-1\r\n",
    "without a size": b"\r\n",
    "longer than it says": b"1\r\nab\r\n",
}


@pytest.mark.parametrize("case", CHUNKS)
def test_a_chunk_that_is_none_ends_the_request(harness: AttackHarness, case: str) -> None:
    with harness.unharmed(cpu_seconds=2, rss_bytes=32 * MIB), harness.connect() as connection:
        send(connection, post(harness, CHUNKED) + CHUNKS[case] + SMUGGLED)
        answers = everything(connection)
    assert statuses(answers) in ([], [400])
    assert b"smuggled" not in answers


ENDLESS = {
    "headers": (b"", b"X-Flood: " + b"x" * 90 + b"\r\n"),
    "one header": (b"X-Flood: ", b"x" * 1000),
    "chunk extensions": (CHUNKED + b"\r\n\r\n1", b";x=" + b"y" * 1000),
    "one trailer": (CHUNKED + b"\r\n\r\n0\r\nX-Flood: ", b"x" * 1000),
    "trailers": (CHUNKED + b"\r\n\r\n0\r\n", b"X-Flood: " + b"x" * 90 + b"\r\n"),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_what_has_no_end_is_cut_off(harness: AttackHarness, case: str) -> None:
    begin, more = ENDLESS[case]
    head = b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nDW-Sequence: 1\r\n" + harness.token
    with harness.unharmed(cpu_seconds=4, rss_bytes=32 * MIB), harness.connect() as connection:
        send(connection, head + begin)
        for _ in range(64):
            send(connection, more * (MIB // len(more)))
        answers = everything(connection)
    assert statuses(answers) in ([], [400], [413], [415])


def test_a_target_without_end_is_not_given_back_whole(harness: AttackHarness) -> None:
    with harness.unharmed(cpu_seconds=2, rss_bytes=32 * MIB), harness.connect() as connection:
        send(connection, b"GET /" + b"x" * 30_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = everything(connection)
    assert statuses(answers) == [404]
    assert len(answers) < 2000


def test_a_thousand_requests_in_one_breath_are_not_a_thousand_in_memory(harness: AttackHarness) -> None:
    breath = b"GET /v1/assignment HTTP/1.1\r\n\r\n" * 30_000
    with harness.unharmed(cpu_seconds=3, rss_bytes=32 * MIB):
        sockets = [harness.connect() for _ in range(8)]
        for connection in sockets:
            send(connection, breath)
        for connection in sockets:
            answers = statuses(everything(connection))
            assert set(answers) == {401}
            assert len(answers) < 100
            connection.close()


def test_who_expects_to_be_told_to_continue_is_told_no_first(harness: AttackHarness) -> None:
    head = b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99\r\nConnection: close\r\n"
    with harness.connect() as connection:
        send(connection, head + b"Authorization: Bearer nobody\r\n\r\n")
        answers = everything(connection)
    assert statuses(answers) == [401]
    assert ProblemCode.INVALID_TOKEN.encode() in answers


TARGETS = {
    "of somebody else": b"GET http://elsewhere.example/v1/assignment HTTP/1.1",
    "of the whole server": b"OPTIONS * HTTP/1.1",
    "of a tunnel": b"CONNECT elsewhere.example:80 HTTP/1.1",
    "of a parent": b"GET /tuf/../../keys/snapshot.pem HTTP/1.1",
    "of an escaped parent": b"GET /tuf/%2e%2e/%2e%2e/keys/snapshot.pem HTTP/1.1",
    "with a NUL": b"GET /tuf/1.root.json%00.pem HTTP/1.1",
    "with bytes of no alphabet": b"GET /\xff\xfe HTTP/1.1",
    "of a websocket": b"GET /v1/assignment HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket",
    "of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM",
}


@pytest.mark.parametrize("case", TARGETS)
def test_an_odd_target_gets_a_problem(harness: AttackHarness, case: str) -> None:
    with harness.unharmed(cpu_seconds=2, rss_bytes=32 * MIB), harness.connect() as connection:
        send(connection, TARGETS[case] + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = everything(connection)
    (status,) = statuses(answers)
    assert 400 <= status < 500
    assert b"application/problem+json" in answers
    assert b"PRIVATE" not in answers
