"""Headers of uploads: what is understood, and what is refused."""

from collections.abc import Callable

import pytest
from starlette.requests import Request

from cloud_server.api.device.upload_headers import is_minimal, sequence_of, timeout_seconds
from shared.errors import PeerError
from shared.wire import SEQUENCE_MAX


def with_header(name: str, value: str) -> Request:
    """A request with one header."""
    return Request({"type": "http", "headers": [(name.encode(), value.encode())]})


@pytest.mark.parametrize(("text", "seconds"), [("1", 0.001), ("1500", 1.5), ("999999999", 999_999.999)])
def test_a_timeout_is_milliseconds(text: str, seconds: float) -> None:
    assert timeout_seconds(with_header("dw-timeout", text)) == seconds


def test_without_a_timeout_there_is_none() -> None:
    assert timeout_seconds(with_header("dw-sequence", "1")) is None


@pytest.mark.parametrize("sequence", [0, 7, SEQUENCE_MAX])
def test_a_sequence_is_a_number_below_the_limit(sequence: int) -> None:
    assert sequence_of(with_header("dw-sequence", str(sequence))) == sequence


@pytest.mark.parametrize(
    ("read", "name", "text"),
    [
        (timeout_seconds, "dw-timeout", "0"),
        (timeout_seconds, "dw-timeout", "1000000000"),
        (timeout_seconds, "dw-timeout", "²"),
        (sequence_of, "dw-sequence", str(SEQUENCE_MAX + 1)),
        (sequence_of, "dw-sequence", "-1"),
        (sequence_of, "dw-sequence", ""),
        (sequence_of, "dw-sequence", "²"),
        (sequence_of, "dw-sequence", "1" * 5000),
    ],
)
def test_what_is_no_such_number_is_refused(read: Callable[[Request], object], name: str, text: str) -> None:
    with pytest.raises(PeerError, match=name.title().replace("Dw", "DW")):
        read(with_header(name, text))


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("return=minimal", True),
        ("respond-async, Return = Minimal", True),
        ("return=representation", False),
        ("", False),
    ],
)
def test_an_answer_without_results_is_asked_for_by_prefer(prefer: str, expected: bool) -> None:
    assert is_minimal(with_header("prefer", prefer)) is expected
