"""The Open Inference Protocol v2's messages, and Triton's binary tensor data extension: bytes to frames and back.

One input, `frame`: BYTES of shape [n] or [n, 1], each element a JPEG. A JSON string cannot hold a JPEG's bytes, so in
JSON an element is base64; in binary, as the extension says, a 4-byte little-endian length and the bytes.
Sources: inference_rest.md of the Open Inference Protocol; extension_binary_data.md of Triton.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.errors import PeerError
from shared.plain_text import PLAIN
from shared.wire import BATCH_MAX_FRAMES, FrameResult, Problem

PATH_PREFIX = "/v2"
BINARY = "application/octet-stream"
INPUT_NAME = "frame"
JSON_ITEMS_MAX = 4096
"""Arrays, objects and members in a request, at most: what a parser makes of a byte may weigh many times that byte."""
PARAMETERS_MAX = 32
_NOT_OFFERED = ("classification", "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset")


@dataclass(frozen=True, slots=True)
class OutputKind:
    """An output tensor: what of a result it holds, and how."""

    name: str
    datatype: str
    of: Callable[[FrameResult], str | float]


OUTPUTS = (
    OutputKind("label", "BYTES", lambda result: result.label),
    OutputKind("confidence", "FP32", lambda result: result.confidence),
    OutputKind("model", "BYTES", lambda result: result.model),
    OutputKind("match", "BYTES", lambda result: result.match.value),
)
_KINDS = {kind.name: kind for kind in OUTPUTS}


class _Message(BaseModel):
    # Members that we do not know are passed over, as the protocol's extensions ask for; known ones are taken literally.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


Parameters = Annotated[dict[str, str | int | float | bool], Field(max_length=PARAMETERS_MAX)]
_Element = str | Annotated[list[str], Field(min_length=1, max_length=1)]


class InferInput(_Message):
    """The tensor `frame`: `data` in JSON, or `parameters.binary_data_size` bytes behind the JSON."""

    name: Annotated[str, Field(max_length=64)]
    shape: Annotated[list[Annotated[int, Field(ge=1, le=BATCH_MAX_FRAMES)]], Field(min_length=1, max_length=2)]
    datatype: Annotated[str, Field(max_length=16)]
    parameters: Parameters = {}
    data: Annotated[list[_Element], Field(max_length=BATCH_MAX_FRAMES)] | None = None

    @field_validator("parameters")
    @classmethod
    def _is_offered(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        return _without_what_is_not_offered(parameters)


class InferOutput(_Message):
    """An output that is asked for."""

    name: Annotated[str, Field(max_length=64)]
    parameters: Parameters = {}

    @field_validator("parameters")
    @classmethod
    def _is_offered(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        return _without_what_is_not_offered(parameters)


class InferBody(_Message):
    """The JSON of an inference request."""

    id: Annotated[str, Field(max_length=256, pattern=PLAIN)] | None = None
    parameters: Parameters = {}
    inputs: Annotated[list[InferInput], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[InferOutput], Field(max_length=len(OUTPUTS))] = []


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output of the answer; `is_binary`: behind the JSON instead of in it."""

    kind: OutputKind
    is_binary: bool


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What is asked: these frames, in this shape, answered with these outputs under this id."""

    frames: tuple[bytes, ...]
    shape: tuple[int, ...]
    outputs: tuple[WantedOutput, ...]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """An answer's body; `json_bytes` of it are JSON, None when all of it is."""

    body: bytes
    json_bytes: int | None


def parse_request(body: bytes, json_bytes: int | None) -> InferRequest:
    """Read a request.

    Args:
        json_bytes: Inference-Header-Content-Length; None when the request has no binary data.

    Raises:
        PeerError: it is not one, or wants what is not offered.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise PeerError(f"Inference-Header-Content-Length is {json_bytes}, but the body has {len(body)} bytes")
    parsed = _parse_json(body[:json_bytes])
    (frame_input,) = parsed.inputs
    binary = body[json_bytes:] if json_bytes is not None else b""
    return InferRequest(_frames(frame_input, binary), tuple(frame_input.shape), _wanted(parsed), parsed.id)


def build_answer(model: str, request: InferRequest, results: Sequence[FrameResult]) -> InferAnswer:
    """Write the answer to `request`, one result a frame; `model_version` is named if one version gave all of them."""
    tensors, binaries = [], []
    for output in request.outputs:
        tensor: dict[str, Any] = {
            "name": output.kind.name,
            "datatype": output.kind.datatype,
            "shape": list(request.shape),
        }
        values = [output.kind.of(result) for result in results]
        if output.is_binary:
            binaries.append(_packed(values))
            tensor["parameters"] = {"binary_data_size": len(binaries[-1])}
        else:
            tensor["data"] = values
        tensors.append(tensor)
    versions = {result.model.rpartition("/")[2] for result in results}
    document = InferResponse(
        model_name=model,
        model_version=versions.pop() if len(versions) == 1 else None,
        id=request.id,
        outputs=[TensorAnswer.model_validate(tensor) for tensor in tensors],
    )
    head = document.model_dump_json(exclude_none=True).encode()
    return InferAnswer(head + b"".join(binaries), len(head) if binaries else None)


class TensorAnswer(_Message):
    """An output of an answer."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = None
    data: list[str] | list[float] | None = None


class InferResponse(_Message):
    """The JSON of an answer."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    outputs: list[TensorAnswer]


class InferenceProblem(Problem):
    """A problem document that the protocol's clients can read, too: they look for `error`."""

    error: str


class TensorMetadata(_Message):
    """A tensor's name, type and shape; -1 where it may vary."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(_Message):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(_Message):
    """Who answers, and which extensions are spoken."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(_Message):
    """The server answers."""

    live: bool


class ServerReady(_Message):
    """The server takes frames."""

    ready: bool


class ModelReady(_Message):
    """The model takes frames."""

    name: str
    ready: bool


def model_metadata(family: str, counters: Sequence[int]) -> ModelMetadata:
    """The metadata of a family's classifiers; its versions are the bundles' counters."""
    return ModelMetadata(
        name=family,
        versions=[str(counter) for counter in counters],
        platform="dctwire_onnx",
        inputs=[TensorMetadata(name=INPUT_NAME, datatype="BYTES", shape=[-1])],
        outputs=[TensorMetadata(name=kind.name, datatype=kind.datatype, shape=[-1]) for kind in OUTPUTS],
    )


def _parse_json(document: bytes) -> InferBody:
    if sum(document.count(sign) for sign in (b"[", b"{", b",", b":")) > JSON_ITEMS_MAX:
        raise PeerError(f"a request's JSON has at most {JSON_ITEMS_MAX} arrays, objects and members")
    try:
        return InferBody.model_validate_json(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:64] for part in fault["loc"]) or "body"
        raise PeerError(f"{where}: {fault['msg']}") from error


def _frames(tensor: InferInput, binary: bytes) -> tuple[bytes, ...]:
    if (tensor.name, tensor.datatype) != (INPUT_NAME, "BYTES") or tensor.shape[1:] not in ([], [1]):
        raise PeerError(f"send one input {INPUT_NAME!r} of datatype BYTES and shape [n] or [n, 1]")
    size = tensor.parameters.get("binary_data_size")
    if size is None and binary:
        raise PeerError(f"{len(binary)} bytes behind the JSON belong to no input")
    if size is not None and (tensor.data is not None or isinstance(size, bool) or size != len(binary)):
        raise PeerError(f"binary_data_size is {size}, but {len(binary)} bytes follow the JSON, or data are in it, too")
    frames = _from_base64(tensor.data or []) if size is None else _unpacked(binary)
    if len(frames) != tensor.shape[0]:
        raise PeerError(f"the shape says {tensor.shape[0]} frames, the data hold {len(frames)}")
    return frames


def _from_base64(data: Sequence[str | list[str]]) -> tuple[bytes, ...]:
    texts = [element if isinstance(element, str) else element[0] for element in data]
    try:
        return tuple(base64.b64decode(text, validate=True) for text in texts)
    except (binascii.Error, ValueError) as error:
        raise PeerError(f"an element of data is not base64: {error}") from error


def _unpacked(binary: bytes) -> tuple[bytes, ...]:
    """BYTES elements, each behind its length; no more of them than a batch may have."""
    elements: list[bytes] = []
    at = 0
    while at < len(binary) and len(elements) <= BATCH_MAX_FRAMES:
        end = at + 4 + int.from_bytes(binary[at : at + 4], "little")
        if at + 4 > len(binary) or end > len(binary):
            raise PeerError(f"element {len(elements)} of the binary data ends {end - len(binary)} bytes after them")
        elements.append(binary[at + 4 : end])
        at = end
    return tuple(elements)


def _packed(values: Sequence[str | float]) -> bytes:
    return b"".join(_packed_one(value) for value in values)


def _packed_one(value: str | float) -> bytes:
    if isinstance(value, float):
        return struct.pack("<f", value)
    text = value.encode()
    return struct.pack("<I", len(text)) + text


def _wanted(body: InferBody) -> tuple[WantedOutput, ...]:
    is_binary = body.parameters.get("binary_data_output") is True
    if not body.outputs:
        return tuple(WantedOutput(kind, is_binary) for kind in OUTPUTS)
    names = [output.name for output in body.outputs]
    if len(set(names)) != len(names) or not set(names) <= _KINDS.keys():
        raise PeerError(f"outputs are {', '.join(_KINDS)}, each at most once")
    return tuple(
        WantedOutput(_KINDS[output.name], output.parameters.get("binary_data", is_binary) is True)
        for output in body.outputs
    )


def _without_what_is_not_offered(parameters: dict[str, Any]) -> dict[str, Any]:
    refused = [name for name in _NOT_OFFERED if name in parameters]
    if refused:
        raise ValueError(f"{refused[0]} is not offered here")
    if parameters.get("content_type", "base64") != "base64":
        raise ValueError("the content_type of frames in JSON is base64")
    return parameters
