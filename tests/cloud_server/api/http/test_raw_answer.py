"""A problem as the bytes of an answer."""

import json

from cloud_server.api.http.raw_answer import raw_answer
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode


def test_an_answer_says_all_that_a_client_needs_and_that_it_is_the_last() -> None:
    problem = Problem.of(ProblemCode.QUEUE_FULL, "8 connections are open", "urn:x")
    head, _, body = raw_answer(problem, "retry-after: 1\r\n").partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "HTTP/1.1 503 Service Unavailable",
        f"content-type: {PROBLEM_MEDIA_TYPE}",
        "retry-after: 1",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    assert json.loads(body) == problem.model_dump(mode="json")
