"""OpenAPI documents: the pieces that FastAPI cannot work out of a handler's signature, and the document of a plane.

FastAPI describes parameters, response models and security. What it cannot know stands beside the handler: problems,
bodies that are read as bytes, and headers of answers. In these pieces, a model stands for a reference to its schema.
"""

import json
from collections.abc import Hashable, Iterable, Mapping
from itertools import groupby
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode

JSON = "application/json"
TEXT = {"type": "string"}
WAITING_STATUSES = (429, 503, 504)
"""Statuses whose problems say in Retry-After how long to wait."""
_RETRY_AFTER = {"description": "seconds", "required": True, "schema": TEXT}
_REFERENCE = "#/components/schemas/{model}"
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")
"""What FastAPI answers to input that is not valid; here that is a problem, `bad-request`."""

Schema = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]
"""FastAPI's `responses=`."""
Models = set[type[BaseModel]]
_documents: dict[tuple[str, Hashable], bytes] = {}
"""What was written so far: a document a title and limits, of which a program has one each."""


def answer(
    description: str, content: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Schema:
    """An answer: schemas (or models) by media type, and descriptions by the name of a header."""
    described: Schema = {"description": description}
    if content:
        described["content"] = {media_type: {"schema": schema} for media_type, schema in content.items()}
    if headers:
        described["headers"] = {name: {"description": text, "schema": TEXT} for name, text in headers.items()}
    return described


def problems(*codes: ProblemCode, form: type[Problem] = Problem, headers: Mapping[str, str] | None = None) -> Responses:
    """Answers with these problems, and with `bad-request`, which every operation has: the HTTP itself may be broken."""
    ordered = sorted({ProblemCode.BAD_REQUEST, *codes}, key=lambda code: (code.status, code))
    return {
        status: _problem_answer(form, status, tuple(group), headers)
        for status, group in groupby(ordered, key=lambda code: code.status)
    }


def raw_body(description: str, max_bytes: int, content: Mapping[str, Any]) -> Schema:
    """A request's body that is read as bytes: schemas (or models) by media type, and how long it may be."""
    return {
        "required": True,
        "description": f"{description}, at most {max_bytes} bytes",
        "content": {media_type: {"schema": schema} for media_type, schema in content.items()},
    }


def binary(max_bytes: int | None = None) -> Schema:
    """The schema of bytes."""
    return {**TEXT, "format": "binary"} | ({} if max_bytes is None else {"maxLength": max_bytes})


def header_parameter(name: str, description: str, schema: Schema = TEXT, *, is_required: bool = False) -> Schema:
    """A request's header."""
    described = {"name": name, "in": "header", "description": description, "schema": schema}
    return described | ({"required": True} if is_required else {})


def with_references(described: Any, models: Models) -> Any:
    """`described` with a reference in the place of each model, of several in the place of a tuple of models.

    Args:
        models: the models that were found are added to it.
    """
    if isinstance(described, type) and issubclass(described, BaseModel):
        models.add(described)
        return {"$ref": _REFERENCE.format(model=described.__name__)}
    if isinstance(described, tuple):
        return {"anyOf": [with_references(each, models) for each in described]}
    if isinstance(described, dict):
        return {key: with_references(value, models) for key, value in described.items()}
    if isinstance(described, list):
        return [with_references(each, models) for each in described]
    return described


def document_of(
    app: FastAPI, limits: Hashable, models: Iterable[type[BaseModel]], paths: Mapping[str, Schema]
) -> bytes:
    """The document of an application, written once a process for all of the same title and limits.

    Args:
        limits: all that it says and that is not the same in every application of this title.
        models: what its pieces refer to.
        paths: operations by path and method that are answered in front of it.
    """
    written = _documents.get((app.title, limits))
    if written is None:
        written = _documents[app.title, limits] = _written(app, models, paths)
    return written


def _written(app: FastAPI, models: Iterable[type[BaseModel]], paths: Mapping[str, Schema]) -> bytes:
    document = app.openapi()
    referred: Models = set(models)
    document["paths"].update(with_references(dict(paths), referred))
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        _tidy(operation)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _OF_FASTAPI:
        schemas.pop(name, None)
    schemas.update(_schemas(referred))
    return json.dumps(document).encode()


def _tidy(operation: Schema) -> None:
    """Drop the problem that is not ours, and a description that only repeats the summary."""
    if "HTTPValidationError" in str(operation["responses"].get("422")):
        del operation["responses"]["422"]
    if operation.get("description") == operation["summary"]:
        del operation["description"]


def _schemas(models: Models) -> Schema:
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in ordered], ref_template=_REFERENCE)
    definitions: Schema = schemas.get("$defs", {})
    return definitions


def _problem_answer(
    form: type[Problem], status: int, codes: tuple[ProblemCode, ...], headers: Mapping[str, str] | None
) -> Schema:
    """A problem of these codes and no others, with Retry-After where waiting helps."""
    members = {"status": {"const": status}, "code": {"enum": [code.value for code in codes]}}
    narrowed = {"type": "object", "properties": members, "required": ["instance"]}
    described = answer(
        "; ".join(f"`{code.value}`: {code.summary}" for code in codes),
        {PROBLEM_MEDIA_TYPE: {"allOf": [form, narrowed]}},
        headers,
    )
    if status in WAITING_STATUSES:
        described.setdefault("headers", {})["Retry-After"] = _RETRY_AFTER
    return described
