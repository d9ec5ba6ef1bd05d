"""OpenAPI 3.1 documents, one a plane: written beside the handlers, complete, and held to them when a plane is built.

FastAPI would work out a document from signatures. Ours read and answer raw bytes, so it would know next to nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from cloud_server.api.http.bodies import JSON
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode

Schema = dict[str, Any]
Shape = type[BaseModel] | tuple[type[BaseModel], ...] | Schema
"""A model, one of several models, or a JSON schema."""
DOCUMENT_PATH = "/openapi.json"
TEXT: Schema = {"type": "string"}
_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path, the query or a header; `place` as OpenAPI's `in`."""

    name: str
    description: str
    schema: Schema
    place: str = "header"
    is_required: bool = False

    def document(self) -> Schema:
        """As OpenAPI has it."""
        is_required = self.is_required or self.place == "path"
        described = {"name": self.name, "in": self.place, "description": self.description, "schema": self.schema}
        return described | ({"required": True} if is_required else {})


@dataclass(frozen=True, slots=True)
class Content:
    """A body: its media type, its shape, what it is, and how long it may be (bytes)."""

    description: str
    shape: Shape
    media_type: str = JSON
    max_bytes: int | None = None

    def document(self) -> Schema:
        """As OpenAPI has it."""
        return {self.media_type: {"schema": _schema(self.shape)}}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no problem; `headers` are names and descriptions, `also` is another form of it."""

    description: str
    content: Content | None = None
    headers: Mapping[str, str] | None = None
    also: Content | None = None

    def document(self) -> Schema:
        """As OpenAPI has it."""
        headers = {name: {"description": text, "schema": TEXT} for name, text in (self.headers or {}).items()}
        content = {media: schema for each in self.contents() for media, schema in each.document().items()}
        described: Schema = {"description": self.description, "headers": headers}
        return described | ({"content": content} if content else {})

    def contents(self) -> list[Content]:
        """Its forms."""
        return [each for each in (self.content, self.also) if each is not None]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method of a path takes and answers. `bad-request` belongs to every one: the HTTP itself may be broken."""

    summary: str
    answers: Mapping[int, Answer]
    problems: Sequence[ProblemCode] = ()
    parameters: Sequence[Parameter] = ()
    bodies: Sequence[Content] = ()
    needs_token: bool = False
    problem: type[Problem] = Problem

    def document(self) -> Schema:
        """As OpenAPI has it."""
        answers = {str(status): answer.document() for status, answer in self.answers.items()}
        described: Schema = {"summary": self.summary, "responses": answers | self._problems()}
        described["security"] = [{"token": []}] if self.needs_token else []
        if self.parameters:
            described["parameters"] = [parameter.document() for parameter in self.parameters]
        if self.bodies:
            described["requestBody"] = {
                "required": True,
                "description": "; ".join(_limited(body) for body in self.bodies),
                "content": {media: schema for body in self.bodies for media, schema in body.document().items()},
            }
        return described

    def _problems(self) -> Schema:
        token = {ProblemCode.INVALID_TOKEN, ProblemCode.QUOTA_EXCEEDED} if self.needs_token else set()
        codes = sorted({ProblemCode.BAD_REQUEST, *self.problems, *token}, key=lambda code: (code.status, code))
        return {
            str(status): _problem_answer(self.problem, status, list(group))
            for status, group in groupby(codes, key=lambda code: code.status)
        }


Operations = Mapping[tuple[str, str], Operation]
"""By method and path, the path as OpenAPI writes it."""
_DOCUMENT_ITSELF = Operation(
    "This document.", {200: Answer("OpenAPI 3.1.", Content("the document", {"type": "object"}))}
)


def add_document(app: FastAPI, operations: Operations) -> None:
    """Serve `app`'s document at /openapi.json; every route of it must be described, and nothing else."""
    described = {**operations, ("GET", DOCUMENT_PATH): _DOCUMENT_ITSELF}
    document = json.dumps(_document(app.title, described)).encode()

    @app.get(DOCUMENT_PATH)
    async def get_document() -> Response:
        return Response(document, media_type=JSON)

    difference = described.keys() ^ set(_routes(app))
    assert not difference, f"described or served, but not both: {sorted(difference)}"


def _routes(app: FastAPI) -> Iterable[tuple[str, str]]:
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


def _document(title: str, operations: Operations) -> Schema:
    paths: dict[str, Schema] = {}
    for (method, path), operation in operations.items():
        paths.setdefault(path, {})[method.lower()] = operation.document()
    components: Schema = {"schemas": _models(operations.values())}
    if any(operation.needs_token for operation in operations.values()):
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "the 22 characters that enrolment gave"}
        }
    info = {"title": title, "version": version("dctwire")}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


def _models(operations: Iterable[Operation]) -> Schema:
    shapes: list[Shape] = [Problem]
    for operation in operations:
        shapes += [operation.problem, *(body.shape for body in operation.bodies)]
        shapes += [content.shape for answer in operation.answers.values() for content in answer.contents()]
    models = {model for shape in shapes if not isinstance(shape, dict) for model in _each(shape)}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=_REF)
    definitions: Schema = schemas["$defs"]
    return definitions


def _each(shape: type[BaseModel] | tuple[type[BaseModel], ...]) -> tuple[type[BaseModel], ...]:
    return shape if isinstance(shape, tuple) else (shape,)


def _schema(shape: Shape) -> Schema:
    if isinstance(shape, dict):
        return shape
    references = [{"$ref": _REF.format(model=model.__name__)} for model in _each(shape)]
    return references[0] if len(references) == 1 else {"anyOf": references}


def _limited(body: Content) -> str:
    return body.description + (f", at most {body.max_bytes} bytes" if body.max_bytes else "")


def _problem_answer(problem: type[Problem], status: int, codes: Sequence[ProblemCode]) -> Schema:
    """A problem of these codes and no others, with Retry-After where waiting helps."""
    narrowed = {
        "type": "object",
        "properties": {"status": {"const": status}, "code": {"enum": [code.value for code in codes]}},
        "required": ["instance"],
    }
    schema = {"allOf": [{"$ref": _REF.format(model=problem.__name__)}, narrowed]}
    answer: Schema = {
        "description": "; ".join(f"`{code.value}`: {code.summary}" for code in codes),
        "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}},
    }
    if status in (429, 503, 504):
        answer["headers"] = {"Retry-After": {"description": "seconds", "required": True, "schema": TEXT}}
    return answer
