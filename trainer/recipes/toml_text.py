"""A recipe as a TOML file that a person edits: every key, with what it means beside it."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from trainer.recipes.recipe import AnyRecipe
from trainer.section import Section

WIDTH = 120


def toml_of(recipe: AnyRecipe, variants: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """The file's text; read back it gives the same recipe. Keys without a value are left out: they have no default.

    Args:
        variants: by name, the keys that each replaces, as a recipe's file has them.
    """
    fields = {name: getattr(recipe, name) for name in type(recipe).model_fields}
    lines = [line(name, value, "") for name, value in fields.items() if not isinstance(value, BaseModel | None)]
    for name, value in fields.items():
        if isinstance(value, Section):
            lines += ["", f"[{name}]", *_section(value)]
        elif name == "net":
            lines += ["", "# [net]: without it, the shape that suits the pictures' size"]
    for variant, sections in (variants or {}).items():
        lines += _variant(f"variants.{variant}", sections)
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    meant = meanings(type(section))
    for name in type(section).model_fields:
        value = getattr(section, name)
        if value is not None:
            yield line(name, value, meant.get(name, ""))


def _variant(place: str, keys: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"[{place}]")
    yield from (line(name, value, "") for name, value in keys.items() if not isinstance(value, dict))
    for name, value in keys.items():
        if isinstance(value, dict):
            yield from _variant(f"{place}.{name}", value)


def line(name: str, value: object, meaning: str) -> str:
    """A key with its value, and what it means beside or above it."""
    said = f"{name} = {_value(value)}"
    if not meaning:
        return said
    beside = f"{said}  # {meaning}"
    return beside if len(beside) <= WIDTH else "\n".join([*(f"# {part}" for part in wrap(meaning, WIDTH - 2)), said])


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case BaseModel():
            return _value(value.model_dump(exclude_none=True))
        case Mapping():
            pairs = ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            raise TypeError(f"no TOML for {value!r}")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def meanings(section: type[Section]) -> dict[str, str]:
    """What a section's docstring says of its keys, so that it is said in one place."""
    words = re.split(r"\n\s*Args:\n", inspect.getdoc(section) or "")[-1]
    entries = re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", words, re.M)
    return {name.strip(): " ".join(text.split()) for names, text in entries for name in names.split(",")}
