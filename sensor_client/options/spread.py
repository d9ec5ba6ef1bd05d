"""Makes the options of a command out of a dataclass, so that no command repeats them."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

CHOSEN = "chosen"
"""The parameter of a command that takes all of them."""


def spread(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command that takes `chosen: kind` be called with the fields of `kind` one by one, as Typer does.

    Its other parameters stay as they are, before these.
    """
    taken = _parameters(kind)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for name, one in signature(command).parameters.items() if name != CHOSEN]

        @wraps(command)
        def called(**values: Any) -> None:
            chosen = kind(**{one.name: values.pop(one.name) for one in taken})
            command(chosen=chosen, **values)

        as_shown = Signature([*(one.replace(kind=Parameter.KEYWORD_ONLY) for one in own), *taken])
        called.__signature__ = as_shown  # type: ignore[attr-defined]
        called.__annotations__ = {name: one.annotation for name, one in as_shown.parameters.items()}
        return called

    return decorate


def _parameters(kind: type[Any]) -> list[Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)
    ]
