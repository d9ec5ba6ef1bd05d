"""A value that a test knows to be there, although its type allows none."""

from typing import TypeVar

_Value = TypeVar("_Value")


def present(value: _Value | None) -> _Value:
    """The value itself; the test fails where there is none."""
    assert value is not None
    return value
