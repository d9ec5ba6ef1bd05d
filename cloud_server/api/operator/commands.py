"""What commands and their answers have in common on the operator plane."""

import base64
import binascii

from pydantic import BaseModel, ConfigDict

from cloud_server.api.http.json_body import BODY_PROBLEMS
from shared.errors import PeerError
from shared.wire import ProblemCode

COMMAND_PROBLEMS = (*BODY_PROBLEMS, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.NOT_READY)
"""How any command can fail before it is understood."""


class Message(BaseModel):
    """A message that has the members it declares, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def from_base64(text: str) -> bytes:
    """The bytes that a member of a message stands for.

    Raises:
        PeerError: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PeerError(f"not base64: {error}") from error
