"""The door for texts: every string of a path, a query, a declared header or a JSON body is plain, or is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.requests import Request

from shared.plain_text import require_plain


def require_plain_parameters(request: Request, dependant: Dependant) -> None:
    """Refuse a request with a parameter that is no plain text.

    Raises:
        PeerError: names the parameter, unless its name is no plain text either.
    """
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        require_plain(name, "a parameter's name")
        require_plain(str(value), name)
    for field in dependant.header_params:
        for value in request.headers.getlist(field.alias):
            require_plain(value, field.alias)


def require_plain_members(message: BaseModel) -> None:
    """Refuse a message with a text, at any depth, that is not plain.

    Raises:
        PeerError: names the member.
    """
    for where, text in _texts(message, ""):
        require_plain(text, where)


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every text in a value, also the names of an object's members, with the way to it."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, BaseModel):
        yield from _texts(dict(value), where)
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield f"{where}: a member's name".removeprefix(": "), str(name)
            yield from _texts(member, f"{where}.{name}".removeprefix("."))
    elif isinstance(value, list | tuple | set | frozenset):
        for number, element in enumerate(value):
            yield from _texts(element, f"{where}.{number}".removeprefix("."))
