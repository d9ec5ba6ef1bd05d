"""Settings whose text is parsed: what is wrong with one is said in the parser's own words."""

from collections.abc import Callable
from typing import TypeVar

import typer

_T = TypeVar("_T")


def parsed(parse: Callable[[str], _T]) -> Callable[[str | _T], _T]:
    """A parser for `typer.Option`.

    Args:
        parse: raises ValueError with what is wrong, and what would be right.
    """

    def parser(value: str | _T) -> _T:
        if not isinstance(value, str):  # a default
            return value
        try:
            return parse(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    parser.__name__ = "TEXT"  # what Click calls the type
    return parser
