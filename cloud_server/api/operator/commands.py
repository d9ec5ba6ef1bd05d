"""What commands and their answers have in common on the operator plane."""

from pydantic import BaseModel, ConfigDict

from cloud_server.api.http.json_body import BODY_PROBLEMS
from shared.wire import ProblemCode

COMMAND_PROBLEMS = (*BODY_PROBLEMS, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.NOT_READY)
"""How any command can fail before it is understood."""


class Message(BaseModel):
    """A message that has the members it declares, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")
