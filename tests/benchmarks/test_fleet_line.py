"""A camera's connection: answers are whole, one that ends is made anew, and what does not come is an error."""

import asyncio

import pytest

from benchmarks.fleet_line import Line, LineError, request

ASKED = request("GET", "/v1/assignment", "t" * 22)


def told(*answers: bytes) -> list[tuple[int, bytes, int, int | None]]:
    """What a camera makes of a server that gives these answers, one a request, and then closes."""
    left = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop(0))
        writer.close()

    async def ask() -> list[tuple[int, bytes, int, int | None]]:
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            async with Line(server.sockets[0].getsockname(), "127.1.2.3") as line:
                got = [await line.ask(ASKED) for _ in answers]
            return [(one.status, one.body, one.assignment, one.retry_after_seconds) for one in got]

    return asyncio.run(ask())


def test_answers_are_read_whole_with_what_their_heads_say() -> None:
    busy = b"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    assert told(
        b"HTTP/1.1 204 x\r\ndw-assignment: 42\r\n\r\n",
        b"HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\nhello",
        busy,
    ) == [(204, b"", 42, None), (200, b"hello", 0, None), (503, b"no", 0, 7)]


def test_a_connection_that_the_server_closes_is_made_anew_for_the_next_request() -> None:
    closing, other = (b"HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 1\r\n\r\n%d" % n for n in (1, 2))
    assert [body for _, body, *_ in told(closing, other)] == [b"1", b"2"]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\nhel"])
def test_half_an_answer_is_none(answer: bytes) -> None:
    with pytest.raises(LineError):
        told(answer)
