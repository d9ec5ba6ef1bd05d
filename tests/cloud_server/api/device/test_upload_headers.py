"""Headers of uploads: what is understood, and what is refused."""

from collections.abc import Callable

import pytest
from starlette.requests import Request

from cloud_server.api.device.upload_headers import companion_of, is_minimal, sequence_of, timeout_seconds, top_of
from cloud_server.inference.frames import Companion
from shared.errors import PeerError
from shared.wire import SEQUENCE_MAX, Kind


def with_header(name: str, value: str) -> Request:
    """A request with one header."""
    return Request({"type": "http", "headers": [(name.encode(), value.encode())]})


@pytest.mark.parametrize(("text", "seconds"), [("1", 0.001), ("1500", 1.5), ("999999999", 999_999.999)])
def test_a_timeout_is_milliseconds(text: str, seconds: float) -> None:
    assert timeout_seconds(with_header("dw-timeout", text)) == seconds


def test_without_a_timeout_there_is_none() -> None:
    assert timeout_seconds(with_header("dw-sequence", "1")) is None


def test_zeros_in_front_change_no_number() -> None:
    assert sequence_of(with_header("dw-sequence", "007")) == 7
    assert timeout_seconds(with_header("dw-timeout", "0001500")) == 1.5


def test_preferences_may_have_lines_of_their_own() -> None:
    lines = [(b"prefer", b"respond-async"), (b"prefer", b"return=minimal")]
    assert is_minimal(Request({"type": "http", "headers": lines}))


def with_query(query: str) -> Request:
    """A request with a query."""
    return Request({"type": "http", "headers": [], "query_string": query.encode()})


@pytest.mark.parametrize(
    ("query", "top"),
    [
        ("", 0),
        ("top=1", 1),
        ("top=10", 10),
        ("top=05", 5),
        ("other=3", 0),
        ("a=b&top=5&c", 5),
        ("to%70=3", 3),
        ("Top=5", 0),
    ],
)
def test_the_likeliest_labels_are_asked_for_by_the_query(query: str, top: int) -> None:
    assert top_of(with_query(query)) == top


@pytest.mark.parametrize(
    "query", ["top=", "top", "top=0", "top=11", "top=-1", "top=+5", "top=5.0", "top=five", "top=%D9%A3"]
)
def test_a_top_that_is_no_such_number_is_refused(query: str) -> None:
    with pytest.raises(PeerError, match="1 to 10"):
        top_of(with_query(query))


@pytest.mark.parametrize("query", ["top=5&top=5", "top=5&top=6", "&".join(["a=b"] * 17), "top=" + "1" * 9000])
def test_a_query_that_says_two_things_or_too_much_is_refused(query: str) -> None:
    with pytest.raises(PeerError):
        top_of(with_query(query))


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
        (sequence_of, "dw-sequence", "+1"),
        (sequence_of, "dw-sequence", "1 2"),
        (timeout_seconds, "dw-timeout", "+5"),
        (sequence_of, "dw-sequence", ""),
        (sequence_of, "dw-sequence", "²"),
        (sequence_of, "dw-sequence", "1" * 5000),
    ],
)
def test_what_is_no_such_number_is_refused(read: Callable[[Request], object], name: str, text: str) -> None:
    with pytest.raises(PeerError, match=name.title().replace("Dw", "DW")):
        read(with_header(name, text))


def with_companion(*headers: tuple[str, str]) -> Request:
    """A request with headers of a companion."""
    named = {"kind": b"dw-kind", "of": b"dw-companion-of"}
    return Request({"type": "http", "headers": [(named[name], value.encode()) for name, value in headers]})


@pytest.mark.parametrize("kind", [Kind.PROBE, Kind.DETAIL])
@pytest.mark.parametrize(("of", "sequence"), [(0, 1), (6, 7), (0, SEQUENCE_MAX), (SEQUENCE_MAX - 1, SEQUENCE_MAX)])
def test_a_companion_names_its_kind_and_a_frame_before_it(kind: Kind, of: int, sequence: int) -> None:
    request = with_companion(("of", str(of)), ("kind", kind.value))
    assert companion_of(request, sequence) == Companion(kind, of)


def test_without_both_headers_a_frame_is_no_companion() -> None:
    assert companion_of(with_companion(), 7) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("kind", "probe")],
        [("of", "3")],
        [("kind", "probe"), ("of", "")],
        [("kind", ""), ("of", "3")],
        [("kind", "frame"), ("of", "3")],
        [("kind", "probe"), ("of", "7")],
        [("kind", "probe"), ("of", "-1")],
        [("kind", "probe"), ("of", "²")],
        [("kind", "probe"), ("kind", "detail"), ("of", "3")],
        [("kind", "probe"), ("of", "3"), ("of", "4")],
    ],
)
def test_half_a_companion_or_one_of_no_frame_before_it_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(PeerError, match=r"(?i)dw-(kind|companion-of)"):
        companion_of(with_companion(*headers), 7)


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("return=minimal", True),
        ("respond-async, Return = Minimal", True),
        ('return="minimal"; x=y , wait=5', True),
        ("wait=5;return=minimal", False),
        ("xreturn=minimal", False),
        ("return=minimalist", False),
        ('x="a, return=minimal"', False),
        ("return=representation, return=minimal", False),
        ("return=representation", False),
        ("", False),
    ],
)
def test_an_answer_without_results_is_asked_for_by_prefer(prefer: str, expected: bool) -> None:
    assert is_minimal(with_header("prefer", prefer)) is expected
