"""One definition an endpoint: its handler's signature and docstring, and what is declared beside it, describe it."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, get_type_hints

from fastapi import APIRouter, Depends, FastAPI
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.exchange import exchange_of
from cloud_server.api.http.json_body import JsonBody
from cloud_server.api.http.openapi import JSON, Models, Schema, answer, document_of, problems, with_references
from cloud_server.api.http.plain_texts import require_plain_parameters
from shared.wire import DOCUMENT_PATH, ProblemCode


def endpoints(prefix: str = "") -> APIRouter:
    """A router whose routes are endpoints."""
    return APIRouter(prefix=prefix, route_class=Endpoint)


class Endpoint(APIRoute):
    """A route that is described by its handler: the docstring's first paragraph is the summary, a JsonBody the body.

    How its `dependencies` refuse, where they have `problems`, is described, too.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.models: Models = set()
        description = inspect.cleandoc(endpoint.__doc__ or "")
        summary = " ".join(description.partition("\n\n")[0].split())
        body = _json_body(endpoint)
        refused = (code for each in options.get("dependencies") or () for code in _problems_of(each))
        extra = {"requestBody": body.document()} if body else options.get("openapi_extra")
        described = {
            "summary": summary,
            "description": summary if "\n\n" not in description else description,
            "responses": with_references(problems(*refused) | (options.get("responses") or problems()), self.models),
            "openapi_extra": with_references(extra, self.models),
        }
        super().__init__(path, endpoint, **options | described)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer a request whose parameters are plain texts."""
        answer_plain = super().get_route_handler()

        async def handle(request: Request) -> Response:
            require_plain_parameters(request, self.dependant)
            return await answer_plain(request)

        return handle


def metered_as(route: str) -> Any:
    """A dependency: count the bytes of the exchange as this route's."""

    async def name(request: Request) -> None:
        exchange_of(request.scope).route = route

    return Depends(name)


def serve(
    app: FastAPI, routers: Sequence[APIRouter], limits: Hashable = None, paths: Mapping[str, Schema] | None = None
) -> None:
    """Have `app` serve these routers, and the document that describes them.

    The document takes half a second to write, so it is written when somebody first asks for it, in a thread.

    Args:
        limits: all that the document says and that is not the same in every application of this title.
        paths: operations by path and method that are answered in front of the application.
    """
    router = endpoints()
    writing = asyncio.Lock()

    @router.get(
        DOCUMENT_PATH,
        response_class=Response,
        responses=problems() | {200: answer("OpenAPI 3.1.", {JSON: {"type": "object"}})},
    )
    async def get_document() -> Response:
        """This document."""
        async with writing:
            document = await asyncio.to_thread(document_of, app, limits, models, paths or {})
        return Response(document, media_type=JSON)

    every_router = [*routers, router]
    for each in every_router:
        app.include_router(each)
    routes = [route for each in every_router for route in each.routes]
    assert all(isinstance(route, Endpoint) for route in routes), "a route that is not described"
    models = {model for route in routes if isinstance(route, Endpoint) for model in route.models}


def _problems_of(dependency: Dependency) -> Sequence[ProblemCode]:
    """How a dependency says that it refuses."""
    codes: Sequence[ProblemCode] = getattr(dependency.dependency, "problems", ())
    return codes


def _json_body(endpoint: Callable[..., Any]) -> JsonBody[Any] | None:
    """The JSON body that a handler asks for, if it does."""
    for hint in get_type_hints(endpoint, include_extras=True).values():
        for marker in getattr(hint, "__metadata__", ()):
            if isinstance(marker, Dependency) and isinstance(marker.dependency, JsonBody):
                return marker.dependency
    return None
