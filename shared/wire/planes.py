"""The planes of a server, and how one is recognised: each describes itself at one path, by its name."""

import json
from enum import StrEnum

DOCUMENT_PATH = "/openapi.json"


class Plane(StrEnum):
    """A plane, by the title of its OpenAPI document."""

    DEVICE = "dctwire device plane"
    OPERATOR = "dctwire operator plane"
    OPS = "dctwire ops plane"


def plane_of(document: bytes) -> Plane | None:
    """The plane that answered with this at `DOCUMENT_PATH`; None when it was none of ours."""
    try:
        return Plane(json.loads(document)["info"]["title"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
