"""Problem documents, held against what was agreed."""

import httpx

from shared.wire import PROBLEM_MEDIA_TYPE, ProblemCode


def assert_problem(answer: httpx.Response, status: int, code: ProblemCode) -> None:
    """The answer is this problem, whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "code", "retry", "instance"}
    assert problem["instance"].startswith("urn:dctwire:request:")
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"] == code.summary
    assert problem["detail"]
