"""A connection's exchanges: each is reported once, complete, with the bytes that were its own."""

from collections.abc import Callable

import pytest

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.exchange_queue import ExchangeQueue

Reported = list[Exchange]


@pytest.fixture
def memory() -> BodyMemory:
    return BodyMemory(1000)


@pytest.fixture
def reported() -> Reported:
    return []


@pytest.fixture
def queue(memory: BodyMemory, reported: Reported) -> ExchangeQueue:
    return ExchangeQueue(memory, reported.append)


def test_an_exchange_is_reported_when_request_and_answer_are_complete(queue: ExchangeQueue, reported: Reported) -> None:
    exchange = queue.begin_request()
    queue.end_request()
    assert (reported, len(queue)) == ([], 1)
    is_rest_arriving = queue.end_answer()
    assert (reported, is_rest_arriving, len(queue)) == ([exchange], False, 0)


def test_an_answer_before_the_end_of_its_request_is_reported_with_the_request(
    queue: ExchangeQueue, reported: Reported
) -> None:
    exchange = queue.begin_request()
    is_rest_arriving = queue.end_answer()
    assert (reported, is_rest_arriving) == ([], True)
    queue.end_request()
    assert reported == [exchange]


def test_pipelined_requests_are_answered_oldest_first(queue: ExchangeQueue, reported: Reported) -> None:
    first = queue.begin_request()
    assert not queue.has_earlier
    queue.end_request()
    second = queue.begin_request()
    assert queue.has_earlier
    queue.count_sent(10)
    queue.end_answer()
    queue.count_sent(3)
    assert (first.sent_bytes, second.sent_bytes) == (10, 3)
    assert reported == [first]


def test_bytes_that_are_no_request_belong_to_an_exchange_all_the_same(queue: ExchangeQueue, reported: Reported) -> None:
    garbage = queue.open()
    assert queue.open() is garbage
    queue.count_sent(7)
    queue.lose()
    assert (reported, garbage.sent_bytes) == ([garbage], 7)


def test_bytes_that_came_before_the_parser_knew_a_request_are_the_requests(queue: ExchangeQueue) -> None:
    assert queue.begin_request() is queue.arriving
    queue.end_request()
    opened = queue.open()
    assert queue.begin_request() is opened


def test_what_an_exchange_held_is_released_when_it_is_reported(queue: ExchangeQueue, memory: BodyMemory) -> None:
    queue.begin_request().hold(600)
    queue.end_request()
    assert memory.held_bytes == 600
    queue.end_answer()
    assert memory.held_bytes == 0


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda queue: [queue.begin_request()], id="arriving"),
        pytest.param(lambda queue: [queue.begin_request(), queue.end_request()][:1], id="arrived"),
        pytest.param(lambda queue: [queue.begin_request(), queue.end_request(), queue.begin_request()][::2], id="both"),
    ],
)
def test_a_lost_connection_reports_each_of_its_exchanges_once(
    queue: ExchangeQueue, reported: Reported, memory: BodyMemory, begin: Callable[[ExchangeQueue], list[Exchange]]
) -> None:
    exchanges = begin(queue)
    exchanges[0].hold(100)
    queue.lose()
    assert reported == exchanges
    assert (len(queue), memory.held_bytes) == (0, 0)
