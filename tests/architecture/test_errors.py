"""Every error survives what carries it from process to process: pickle, copies, and real pools of processes."""

import ast
import builtins
import copy
import importlib
import inspect
import multiprocessing
import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.architecture.sources import PACKAGES, dotted, sources

EVERYWHERE = (*PACKAGES, "harness", "deploy")
POOL_SECONDS = 120
VALUES: dict[type, Any] = {int: 7, float: 2.5, str: "text", bytes: b"bytes", bool: True, Path: Path("a/b.png")}


def error_classes() -> Iterator[type[BaseException]]:
    """Every exception that a module of ours defines, found by what its bases are called, however far down."""
    defined = [
        (module, node, {dotted(base).rpartition(".")[2] for base in node.bases})
        for package in EVERYWHERE
        for module, tree in sources(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    names = {name for name, value in vars(builtins).items() if is_exception(value)} | {"ClientDisconnect"}
    while True:
        found = [(module, node.name) for module, node, bases in defined if bases & names]
        if {name for _, name in found} <= names:
            break
        names |= {name for _, name in found}
    for module, name in found:
        value = getattr(importlib.import_module(module), name)
        assert is_exception(value), f"{module}.{name}"
        yield value


def is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def example(kind: type[BaseException]) -> BaseException:
    """One of the class: each parameter of its constructor gets a value of its annotation."""
    if kind.__init__ is BaseException.__init__ or kind.__init__ is Exception.__init__:
        return kind("what is wrong", 7)
    parameters = inspect.signature(kind, eval_str=True).parameters.values()
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return kind("what is wrong")
    return kind(*(value_of(each.annotation) for each in parameters))


def value_of(annotation: Any) -> Any:
    for choice in (annotation, *get_args(annotation)):
        if choice in VALUES:
            return VALUES[choice]
        if getattr(choice, "__origin__", None) is Iterable or choice is Iterable:
            return ["DCTWIRE_A", "DCTWIRE_B"]
        if choice is Exception:
            return ValueError("a cause")
    raise AssertionError(f"add a value for parameters of type {annotation}")


KINDS = sorted(error_classes(), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
every_error = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__qualname__)


def facts(error: BaseException) -> tuple[object, ...]:
    """All that may be asked of an error."""
    return type(error), str(error), error.args, vars(error), repr(error)


def noted(kind: type[BaseException]) -> BaseException:
    error = example(kind)
    error.add_note("while a test ran")
    return error


def test_errors_of_every_package_are_found() -> None:
    assert {kind.__module__.partition(".")[0] for kind in KINDS} >= {*PACKAGES, "harness"}
    assert {"DctwireError", "LimitExceededError", "SlowBodyError", "ProgramError", "PictureError"} <= {
        kind.__name__ for kind in KINDS
    }


@every_error
def test_an_error_comes_back_from_pickle_and_from_copies_as_it_was(kind: type[BaseException]) -> None:
    error = noted(kind)
    again = [copy.copy(error), copy.deepcopy(error)]
    again += [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    assert [facts(each) for each in again] == [facts(error)] * len(again)


def raise_example(index: int) -> None:
    """What a worker does: it raises the error itself, so that the pool has to carry it back."""
    raise noted(KINDS[index])


def test_real_pools_of_processes_carry_every_error_back_and_go_on() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        pending = [pool.apply_async(raise_example, (index,)) for index in range(len(KINDS))]
        for kind, answer in zip(KINDS, pending, strict=True):
            with pytest.raises(kind) as caught:
                answer.get(timeout=POOL_SECONDS)
            assert facts(caught.value) == facts(noted(kind))
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        futures = [executor.submit(raise_example, index) for index in range(len(KINDS))]
        for kind, future in zip(KINDS, futures, strict=True):
            with pytest.raises(kind) as raised:
                future.result(timeout=POOL_SECONDS)
            assert facts(raised.value) == facts(noted(kind))
