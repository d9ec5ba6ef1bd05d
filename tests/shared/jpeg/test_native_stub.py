"""`_codec/__init__.pyi` is the contract with the native library: what it declares was built, and all of it is used."""

import ast
from pathlib import Path

import pytest

from shared.jpeg import native

JPEG = Path(native.__file__).parent
STUB = ast.parse((JPEG / "_codec" / "__init__.pyi").read_text())


def declared(name: str) -> dict[str, ast.FunctionDef]:
    """The methods of a class of the stub."""
    (found,) = [node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {node.name: node for node in found.body if isinstance(node, ast.FunctionDef)}


def used(module: str) -> set[str]:
    """The attributes of `ffi` or `lib` that native.py takes."""
    nodes = ast.walk(ast.parse((JPEG / "native.py").read_text()))
    attributes = (node for node in nodes if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == module}


def test_the_library_exports_exactly_what_the_stub_declares() -> None:
    assert set(dir(native.lib)) == set(declared("_Lib"))


@pytest.mark.parametrize("name", declared("_Lib"))
def test_a_function_takes_and_gives_what_the_stub_declares(name: str) -> None:
    function, built = declared("_Lib")[name], native.ffi.typeof(getattr(native.lib, name))
    assert len(function.args.args) - 1 == len(built.args)  # without self
    types = [ast.unparse(argument.annotation) for argument in function.args.args[1:] if argument.annotation]
    assert all((kind == "int") == (given.kind == "primitive") for kind, given in zip(types, built.args, strict=True))
    assert function.returns is not None
    assert ast.unparse(function.returns) == {"void": "None", "primitive": "int", "pointer": "CData"}[built.result.kind]


def test_native_takes_all_of_it_and_nothing_else() -> None:
    assert used("lib") == set(declared("_Lib"))


def test_native_takes_of_cffi_what_the_stub_declares() -> None:
    assert used("ffi") == {*declared("_FFI"), "NULL"}
