"""What an ONNX file may hold, found by walking its Protocol Buffers before ONNX Runtime sees a byte of it.

A classifier is one flat graph of standard operators with its weights inside. Whatever could reach other files
(external data), run unboundedly (loops and other subgraphs, functions) or needs operators from elsewhere is refused.
Field numbers are those of onnx.proto3.
"""

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cloud_server.errors import ClassifierError

FILE_MAX_BYTES = 256 << 20
FIELDS_MAX = 200_000
STANDARD_DOMAINS = (b"", b"ai.onnx")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Value = int | memoryview


def check_onnx(path: Path) -> None:
    """Whether ONNX Runtime may be given this file.

    Raises:
        ClassifierError: it is too large, is no ONNX file, or holds what a classifier does not need; says what.
    """
    size = path.stat().st_size
    if not 0 < size <= FILE_MAX_BYTES:
        raise ClassifierError(f"an ONNX file has 1 to {FILE_MAX_BYTES} bytes, not {size}")
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # let go of with the last view into it
    _Walk().model(memoryview(mapped))


@dataclass
class _Walk:
    """One pass over a file; counts fields, so that a file of nothing but tiny ones ends soon."""

    fields: int = 0

    def model(self, data: memoryview) -> None:
        graphs = 0
        for number, value in self._fields(data):
            if number == 7:
                graphs += 1
                self._nested(value, self._graph)
            elif number == 20:
                raise ClassifierError("the ONNX file holds training information; a classifier has none")
            elif number == 25:
                raise ClassifierError("the ONNX file defines functions of its own; a classifier is one flat graph")
        if graphs != 1:
            raise ClassifierError(f"not an ONNX file: {graphs} graphs, not 1")

    def _graph(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            if number == 1:
                self._nested(value, self._node)
            elif number == 5:
                self._nested(value, self._tensor)
            elif number == 15:
                raise ClassifierError("the ONNX file has sparse weights; a classifier's are dense")

    def _node(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            if number == 5:
                self._nested(value, self._attribute)
            elif number == 7 and (domain := self._bytes(value)) not in STANDARD_DOMAINS:
                raise ClassifierError(f"operators of the domain {domain.decode('ascii', 'replace')[:64]} are not taken")

    def _attribute(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            if number in (5, 10):
                self._nested(value, self._tensor)
            elif number in (6, 11):
                raise ClassifierError("the ONNX file has subgraphs (If, Loop, Scan); a classifier is one flat graph")
            elif number in (22, 23):
                raise ClassifierError("the ONNX file has sparse tensors; a classifier's are dense")

    def _tensor(self, data: memoryview) -> None:
        for number, value in self._fields(data):
            if number == 13 or (number == 14 and value != 0):
                raise ClassifierError("the ONNX file keeps weights in other files; a classifier's are inside")

    def _nested(self, value: _Value, visit: Callable[[memoryview], None]) -> None:
        if isinstance(value, int):
            raise _not_onnx("a number where a message belongs")
        visit(value)

    def _bytes(self, value: _Value) -> bytes:
        if isinstance(value, int):
            raise _not_onnx("a number where text belongs")
        return bytes(value[:65])

    def _fields(self, data: memoryview) -> Iterator[tuple[int, _Value]]:
        """(field number, value) of a message; fixed-size values are passed as bytes."""
        at = 0
        while at < len(data):
            self.fields += 1
            if self.fields > FIELDS_MAX:
                raise ClassifierError(f"an ONNX file has at most {FIELDS_MAX} fields")
            key, at = _varint(data, at)
            value, at = _value(data, at, key & 7)
            yield key >> 3, value


def _value(data: memoryview, at: int, kind: int) -> tuple[_Value, int]:
    if kind == _VARINT:
        return _varint(data, at)
    if kind == _BYTES:
        length, at = _varint(data, at)
    elif kind in (_FIXED64, _FIXED32):
        length = 8 if kind == _FIXED64 else 4
    else:
        raise _not_onnx(f"wire type {kind}")
    if length > len(data) - at:
        raise _not_onnx("it ends early")
    return data[at : at + length], at + length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _not_onnx("it ends early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _not_onnx("a number of more than ten bytes")


def _not_onnx(reason: str) -> ClassifierError:
    return ClassifierError(f"not an ONNX file: {reason}")
