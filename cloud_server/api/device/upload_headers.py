"""Headers of uploads: what they mean, and how OpenAPI documents describe them."""

from starlette.requests import Request

from cloud_server.api.http.bodies import header, header_list
from cloud_server.api.http.openapi import header_parameter
from shared.errors import PeerError
from shared.wire import SEQUENCE_MAX

_TIMEOUT_MAX_DIGITS = 9
SEQUENCE = header_parameter(
    "DW-Sequence",
    "the device's number for the frame; sent again, it gets the same answer",
    {"type": "integer", "minimum": 0, "maximum": SEQUENCE_MAX},
    is_required=True,
)
TIMEOUT = header_parameter(
    "DW-Timeout",
    "milliseconds that an answer is worth waiting for; the server's own limit holds too",
    {"type": "integer", "minimum": 1, "maximum": 10**_TIMEOUT_MAX_DIGITS - 1},
)
PREFER = header_parameter("Prefer", "return=minimal: 204 instead of results")


def sequence_of(request: Request) -> int:
    """DW-Sequence.

    Raises:
        PeerError: it is missing, or no such number.
    """
    text = header(request, b"dw-sequence")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(SEQUENCE_MAX)) and int(text) <= SEQUENCE_MAX):
        raise PeerError(f"send DW-Sequence: a whole number from 0 to {SEQUENCE_MAX}, not {text[:32]!r}")
    return int(text)


def timeout_seconds(request: Request) -> float | None:
    """DW-Timeout, in seconds; None where there is none.

    Raises:
        PeerError: it is not understood.
    """
    text = header(request, b"dw-timeout")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _TIMEOUT_MAX_DIGITS and int(text)):
        raise PeerError(f"send DW-Timeout as whole milliseconds from 1, not {text[:32]!r}")
    return int(text) / 1000


def is_minimal(request: Request) -> bool:
    """Whether Prefer (RFC 7240) says that an answer without results is enough."""
    for preference in header_list(request, b"prefer"):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "return":  # the first one counts
            return value.strip().strip('"').lower() == "minimal"
    return False
