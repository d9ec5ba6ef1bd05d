"""A problem document as the bytes of a whole HTTP answer: for peers that no application answers."""

from http import HTTPStatus

from shared.wire import PROBLEM_MEDIA_TYPE, Problem


def raw_answer(problem: Problem, headers: str = "") -> bytes:
    """The answer, the last of its connection; `headers` are further lines, each with its CRLF."""
    body = problem.model_dump_json().encode()
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"content-type: {PROBLEM_MEDIA_TYPE}\r\n{headers}"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
