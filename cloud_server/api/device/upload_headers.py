"""Headers and queries of uploads: what they mean, and how OpenAPI documents describe them."""

from urllib.parse import parse_qs

from starlette.requests import Request

from cloud_server.api.http.bodies import header, header_list
from cloud_server.api.http.openapi import header_parameter
from cloud_server.inference.frames import Companion
from shared.errors import PeerError
from shared.wire import COMPANIONS, SEQUENCE_MAX, TOP_MAX, Kind

_TIMEOUT_MAX_DIGITS = 9
_KINDS = {kind.value: kind for kind in Kind if kind in COMPANIONS}
_SEND_OF = "send DW-Companion-Of with DW-Kind: the number of the frame that it belongs to"
QUERY_FIELDS_MAX = 16
SEQUENCE = header_parameter(
    "DW-Sequence",
    "the device's number for the frame; sent again, it gets the same answer",
    {"type": "integer", "minimum": 0, "maximum": SEQUENCE_MAX},
    is_required=True,
)
KIND = header_parameter(
    "DW-Kind",
    "what the frame is for another one of the device, with DW-Companion-Of: it then counts nowhere as a frame",
    {"type": "string", "enum": list(_KINDS)},
)
COMPANION_OF = header_parameter(
    "DW-Companion-Of",
    "with DW-Kind: the device's number for the frame that this one belongs to, below its own",
    {"type": "integer", "minimum": 0, "maximum": SEQUENCE_MAX - 1},
)
TIMEOUT = header_parameter(
    "DW-Timeout",
    "milliseconds that an answer is worth waiting for; the server's own limit holds too",
    {"type": "integer", "minimum": 1, "maximum": 10**_TIMEOUT_MAX_DIGITS - 1},
)
PREFER = header_parameter("Prefer", "return=minimal: 204 instead of results")


TOP = {
    "name": "top",
    "in": "query",
    "description": "how many of the likeliest labels the result names beside its own, with their confidences; "
    "they are not stored, so a frame that is sent again has none",
    "schema": {"type": "integer", "minimum": 1, "maximum": TOP_MAX},
}


def top_of(request: Request) -> int:
    """`top` of the query; 0 where there is none.

    Raises:
        PeerError: it is no such number, or is there twice.
    """
    query: bytes = request.scope["query_string"]
    if not query:
        return 0
    try:
        given = parse_qs(str(query, "latin-1"), keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX).get("top")
    except ValueError as error:
        raise PeerError(f"a query has at most {QUERY_FIELDS_MAX} fields") from error
    if given is None:
        return 0
    text, *others = given
    is_number = not others and text.isascii() and text.isdigit() and len(text) <= len(str(TOP_MAX))
    if not (is_number and 1 <= int(text) <= TOP_MAX):
        raise PeerError(f"send top once: a whole number from 1 to {TOP_MAX}, not {text[:32]!r}")
    return int(text)


def sequence_of(request: Request) -> int:
    """DW-Sequence.

    Raises:
        PeerError: it is missing, or no such number.
    """
    text = header(request, b"dw-sequence")
    if not _is_number(text, SEQUENCE_MAX):
        raise PeerError(f"send DW-Sequence: a whole number from 0 to {SEQUENCE_MAX}, not {text[:32]!r}")
    return int(text)


def companion_of(request: Request, sequence: int) -> Companion | None:
    """DW-Kind and DW-Companion-Of of a frame with this number; None where neither is there.

    Raises:
        PeerError: one is there alone, or is not understood.
    """
    kind, of = header(request, b"dw-kind"), header(request, b"dw-companion-of")
    if not kind and not of:
        return None
    if kind not in _KINDS:
        raise PeerError(f"send DW-Kind ({' or '.join(_KINDS)}) with DW-Companion-Of, or neither, not {kind[:32]!r}")
    if not _is_number(of, sequence - 1):
        raise PeerError(f"{_SEND_OF}, a whole number below its own, which is {sequence}, not {of[:32]!r}")
    return Companion(_KINDS[kind], int(of))


def _is_number(text: str, highest: int) -> bool:
    """Whether this is a whole number from 0 to the highest one."""
    return text.isascii() and text.isdigit() and len(text) <= len(str(SEQUENCE_MAX)) and int(text) <= highest


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
