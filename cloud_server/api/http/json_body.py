"""JSON bodies as FastAPI dependencies: read within limits, parsed into our models, described by themselves.

FastAPI's own body parameters would read without a limit on length, time or memory, before anything else is checked.
"""

from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from cloud_server.api.http.bodies import header, media_type_of, read_body
from cloud_server.api.http.openapi import JSON, Schema, raw_body
from cloud_server.api.http.plain_texts import require_plain_members
from cloud_server.errors import MediaTypeError
from shared.errors import PeerError
from shared.wire import ProblemCode

M = TypeVar("M", bound=BaseModel)
COMMAND_MAX_BYTES = 2 << 20
COMMAND_MAX_SECONDS = 60.0
JSON_MAX_BYTES = 16 << 10
BODY_PROBLEMS = (ProblemCode.TOO_LARGE, ProblemCode.UNSUPPORTED_CODING, ProblemCode.QUEUE_FULL)
"""How reading any body can fail: it is coded, it is too long, or all bodies together are."""


class JsonBody(Generic[M]):
    """A dependency that gives a request's body as a model; dependencies that are declared before it come before it."""

    def __init__(
        self, model: type[M], max_seconds: float, max_bytes: int = JSON_MAX_BYTES, *, must_be_declared: bool = False
    ) -> None:
        self._model = model
        self._max_seconds = max_seconds
        self._max_bytes = max_bytes
        self._must_be_declared = must_be_declared

    async def __call__(self, request: Request) -> M:
        """Read the body.

        Raises:
            MediaTypeError: Content-Type must be JSON, and is not.
            PeerError: it is not this model's JSON, or not all its texts are plain; names the first field that is wrong.
            CodingError, BodyTooLargeError, QueueFullError, SlowBodyError, ClientDisconnect: as `read_body`.
        """
        if self._must_be_declared and media_type_of(header(request, b"content-type")) != JSON:
            raise MediaTypeError(f"send {JSON}")
        return _parsed(self._model, await read_body(request, self._max_bytes, self._max_seconds))

    def document(self) -> Schema:
        """As OpenAPI has it."""
        return raw_body("JSON", self._max_bytes, {JSON: self._model})


def command(model: type[M]) -> JsonBody[M]:
    """An operator's JSON. It must say that it is: a page in a browser cannot send that here without asking first."""
    return JsonBody(model, COMMAND_MAX_SECONDS, COMMAND_MAX_BYTES, must_be_declared=True)


def _parsed(model: type[M], body: bytes) -> M:
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "body"
        raise PeerError(f"{where}: {fault['msg'].removeprefix('Value error, ')}") from error
    require_plain_members(parsed)
    return parsed
