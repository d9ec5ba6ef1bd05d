"""The Open Inference Protocol's messages: what our parser reads is what their client writes, and nothing else."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from cloud_server.api.device.open_inference import JSON_ITEMS_MAX, OUTPUTS, build_answer, parse_request
from shared.errors import PeerError
from shared.plain_text import is_plain
from shared.wire import BATCH_MAX_FRAMES, FrameResult, Match

FRAMES = st.lists(st.binary(max_size=60), min_size=1, max_size=8)
NAMES = [kind.name for kind in OUTPUTS]


def result(number: int, label: str = "cat", model: str = "digits/2") -> FrameResult:
    """A result whose confidence a float32 holds exactly."""
    return FrameResult(id="", label=label, confidence=number / 256 % 1, model=model, match=Match.EXACT)


def infer_input(frames: list[bytes], *, is_column: bool = False) -> InferInput:
    """The tensor as their client holds it."""
    array = np.array(frames, dtype=object).reshape((-1, 1) if is_column else (-1,))
    tensor = InferInput("frame", list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array, binary_data=True)
    return tensor


def body_of(**changes: Any) -> bytes:
    """A request in JSON; `changes` are made to its one input."""
    tensor = {"name": "frame", "shape": [1], "datatype": "BYTES", "data": ["AAAA"]} | changes
    return json.dumps({"inputs": [{name: value for name, value in tensor.items() if value is not None}]}).encode()


@given(
    frames=FRAMES,
    is_column=st.booleans(),
    outputs=st.sets(st.sampled_from(NAMES)),
    request_id=st.text(max_size=9).filter(is_plain),
)
def test_what_their_client_writes_is_read_as_it_was_meant(
    frames: list[bytes], is_column: bool, outputs: set[str], request_id: str
) -> None:
    wanted = [InferRequestedOutput(name, binary_data=name != "label") for name in sorted(outputs)]
    tensor = infer_input(frames, is_column=is_column)
    body, head = InferenceServerClient.generate_request_body([tensor], outputs=wanted, request_id=request_id)
    request = parse_request(body, head)
    assert request.frames == tuple(frames)
    assert request.shape == ((len(frames), 1) if is_column else (len(frames),))
    assert request.id == (request_id or None)
    asked = [(output.kind.name, output.is_binary) for output in request.outputs]
    assert asked == ([(name, name != "label") for name in sorted(outputs)] or [(name, True) for name in NAMES])


@given(frames=FRAMES, is_column=st.booleans(), labels=st.lists(st.text(max_size=5), min_size=8, max_size=8))
def test_what_we_write_their_client_reads_binary_or_not(
    frames: list[bytes], is_column: bool, labels: list[str]
) -> None:
    wanted = [InferRequestedOutput("label", binary_data=True), InferRequestedOutput("confidence", binary_data=False)]
    for outputs in (wanted, None, [InferRequestedOutput(name, binary_data=False) for name in NAMES]):
        body, head = InferenceServerClient.generate_request_body(
            [infer_input(frames, is_column=is_column)], outputs=outputs, request_id="7"
        )
        request = parse_request(body, head)
        results = [result(number, label) for number, label in zip(range(len(frames)), labels, strict=False)]
        answer = build_answer("digits", request, results)
        read = InferenceServerClient.parse_response_body(answer.body, header_length=answer.json_bytes)
        label, confidence = read.as_numpy("label"), read.as_numpy("confidence")
        assert label.shape == confidence.shape == request.shape
        texts = [text.decode() if isinstance(text, bytes) else text for text in label.ravel()]
        assert texts == [each.label for each in results]
        assert confidence.dtype == np.float32
        assert confidence.ravel().tolist() == [each.confidence for each in results]
        head_of_it = read.get_response()
        assert (head_of_it["model_name"], head_of_it["model_version"], head_of_it["id"]) == ("digits", "2", "7")


@given(frames=FRAMES, nest=st.booleans())
def test_in_json_an_element_is_base64(frames: list[bytes], nest: bool) -> None:
    texts = [base64.b64encode(data).decode() for data in frames]
    data = [[text] for text in texts] if nest else texts
    shape = [len(frames), 1] if nest else [len(frames)]
    body = body_of(shape=shape, data=data, parameters={"content_type": "base64"})
    request = parse_request(body, None)
    assert request.frames == tuple(frames)
    assert not any(output.is_binary for output in request.outputs)


def test_an_answer_by_several_versions_names_none() -> None:
    request = parse_request(body_of(shape=[2], data=["", ""]), None)
    answer = build_answer("digits", request, [result(0), result(1, model="digits/3")])
    document = json.loads(answer.body)
    assert "model_version" not in document
    assert {output["name"]: output["data"] for output in document["outputs"]}["model"] == ["digits/2", "digits/3"]


BAD_INPUTS: dict[str, dict[str, Any]] = {
    "another name": {"name": "image"},
    "another type": {"datatype": "UINT8"},
    "no shape": {"shape": []},
    "three dimensions": {"shape": [1, 1, 1]},
    "two columns": {"shape": [1, 2]},
    "no frames": {"shape": [0], "data": []},
    "too many frames": {"shape": [BATCH_MAX_FRAMES + 1], "data": [""] * (BATCH_MAX_FRAMES + 1)},
    "fewer frames than its shape": {"shape": [2]},
    "a shape of truth": {"shape": [True]},
    "a shape of fractions": {"shape": [1.0]},
    "a huge shape": {"shape": [2**64]},
    "no base64": {"data": ["~"]},
    "half a base64": {"data": ["AAA"]},
    "numbers": {"data": [1]},
    "no data": {"data": None},
    "binary data that are not there": {"data": None, "parameters": {"binary_data_size": 4}},
    "a negative size": {"data": None, "parameters": {"binary_data_size": -4}},
    "shared memory": {"data": None, "parameters": {"shared_memory_region": "x", "shared_memory_byte_size": 4}},
    "another coding": {"parameters": {"content_type": "np"}},
    "nested parameters": {"parameters": {"a": {"b": 1}}},
    "many parameters": {"parameters": {str(n): n for n in range(40)}},
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_an_input_that_is_not_ours_is_refused(case: str) -> None:
    with pytest.raises(PeerError):
        parse_request(body_of(**BAD_INPUTS[case]), None)


BAD_BODIES = {
    "nothing": b"",
    "no object": b"[]",
    "no inputs": b'{"inputs":[]}',
    "two inputs": b'{"inputs":[%s,%s]}' % (body_of(), body_of()),
    "half a document": body_of()[:-3],
    "no UTF-8": b'{"id":"\xff","inputs":[]}',
    "an endless id": b'{"id":"%s",' % (b"x" * 300) + body_of()[1:],
    "an id that is a number": b'{"id":7,' + body_of()[1:],
    "an output there is not": b'{"outputs":[{"name":"logits"}],' + body_of()[1:],
    "an output twice": b'{"outputs":[{"name":"label"},{"name":"label"}],' + body_of()[1:],
    "classes": b'{"outputs":[{"name":"label","parameters":{"classification":3}}],' + body_of()[1:],
    "deep": b'{"inputs":' + b"[" * 3000 + b"]" * 3000 + b"}",
    "wide": b'{"inputs":[' + b"0," * JSON_ITEMS_MAX + b"0]}",
    "a number nobody can hold": b'{"inputs":[{"name":"frame","datatype":"BYTES","shape":[' + b"9" * 9000 + b"]}]}",
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_json_that_is_not_ours_is_refused(case: str) -> None:
    with pytest.raises(PeerError):
        parse_request(BAD_BODIES[case], None)


@pytest.mark.parametrize("binary", [b"\x01", b"\x05\0\0\0abcd", b"\xff\xff\xff\xffabcd", b"\0\0\0\0" * 2, bytes(4000)])
def test_binary_data_that_do_not_add_up_are_refused(binary: bytes) -> None:
    head = body_of(data=None, parameters={"binary_data_size": len(binary)})
    with pytest.raises(PeerError):
        parse_request(head + binary, len(head))


def test_bytes_that_belong_to_no_input_are_refused_and_a_head_longer_than_the_body_too() -> None:
    with pytest.raises(PeerError, match="belong to no input"):
        parse_request(body_of() + b"1234", len(body_of()))
    with pytest.raises(PeerError, match="but the body has"):
        parse_request(body_of(), len(body_of()) + 1)


@given(
    body=st.one_of(
        st.binary(max_size=80),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["inputs", "shape", "data", "name", "parameters", "id"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    head=st.none() | st.integers(0, 90),
)
@example(body=body_of(), head=0)
def test_whatever_is_sent_is_read_or_refused(body: bytes, head: int | None) -> None:
    try:
        assert parse_request(body, head).frames
    except PeerError as error:
        assert len(str(error)) < 500
