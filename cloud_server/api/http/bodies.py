"""Request bodies as bytes: with a limit on their length, on their time and on the memory of all of them together."""

import asyncio
import re
from typing import Any

from starlette.requests import Request

from cloud_server.api.http.exchange import Exchange, exchange_of
from cloud_server.errors import BodyTooLargeError, CodingError, MediaTypeError
from shared.errors import PeerError

_LIST_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
"""Commas in quotes divide nothing (RFC 9110 5.6.4)."""


def header(request: Request, name: bytes) -> str:
    """A header by its name in small letters; empty where there is none. Starlette's mapping takes ten times as long.

    Raises:
        PeerError: it is there twice, with different values: whoever reads on the way may believe the other one.
    """
    found: bytes | None = None
    for key, value in request.scope["headers"]:
        if key == name:
            if found is not None and found != value:
                raise PeerError(f"{name.decode()} is there twice, with different values")
            found = value
    return "" if found is None else str(found, "latin-1")


def header_list(request: Request, name: bytes) -> list[str]:
    """The elements of a header that is a list, of all lines together (RFC 9110 5.6.1); none where there is none."""
    values = [value for key, value in request.scope["headers"] if key == name]
    if not values:
        return []
    elements = [element.strip(" \t") for element in _LIST_ELEMENT.findall(str(b",".join(values), "latin-1"))]
    return [element for element in elements if element]


async def read_body(request: Request, max_bytes: int, max_seconds: float) -> bytes:
    """The whole body, counted while it arrives, whatever Content-Length says or does not say.

    Raises:
        CodingError: it is not sent as it is.
        BodyTooLargeError: more than `max_bytes`, known from Content-Length before anything is read if it can be.
        QueueFullError: the bodies of all requests together are as large as they may be; known beforehand likewise.
        SlowBodyError: more than `max_seconds` since the head.
        ClientDisconnect: the client has gone.
    """
    require_identity(request)
    exchange = exchange_of(request.scope)
    declared = header(request, b"content-length")
    if declared.isdecimal():
        _within(int(declared), max_bytes)
        exchange.bodies.check(int(declared))
    timer = asyncio.get_running_loop().call_later(max_seconds, exchange.cut_off)
    try:
        message = await _counted(request, exchange, max_bytes)
        if not message.get("more_body", False):
            whole: bytes = message["body"]
            return whole
        body = bytearray(message["body"])
        while message.get("more_body", False):
            message = await _counted(request, exchange, max_bytes)
            body += message["body"]
        return bytes(body)
    finally:
        timer.cancel()


async def _counted(request: Request, exchange: Exchange, max_bytes: int) -> Any:
    message = await next_message(request)
    exchange.hold(len(message["body"]))
    _within(exchange.held_bytes, max_bytes)
    return message


async def next_message(request: Request) -> Any:
    """The next piece of a body, as ASGI has it.

    Raises:
        SlowBodyError, ClientDisconnect: the exchange was cut off, or the client has gone.
    """
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise exchange_of(request.scope).disconnection()
    return message


def _within(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise BodyTooLargeError(max_bytes)


def media_type_of(content_type: str) -> str:
    """The media type of a Content-Type, in small letters, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def require_identity(request: Request) -> None:
    """Refuse a body with a content coding: nobody here undoes any.

    Raises:
        CodingError: Content-Encoding names one.
    """
    for coding in header_list(request, b"content-encoding"):
        if coding.lower() != "identity":
            raise CodingError(coding)


def require_media_type(request: Request, *accepted: str) -> None:
    """Refuse a body of another kind; none declared is taken as the first of `accepted`.

    Raises:
        MediaTypeError: Content-Type says something else.
    """
    declared = header(request, b"content-type") or accepted[0]
    if declared not in accepted and media_type_of(declared) not in accepted:
        raise MediaTypeError(f"send {' or '.join(accepted)}, not {declared[:80]!r}")
