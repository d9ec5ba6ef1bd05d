"""The configuration file: settings in TOML, by the names that they have on the command line."""

import json
import os
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from shared.environment import nearest
from shared.errors import DctwireError

LIMIT_BYTES = 64 * 1024


class ConfigurationError(DctwireError):
    """The configuration file cannot be used; says which, and what to change."""


def read(path: Path, kinds: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """What the file says, by the settings' names as Python has them.

    Args:
        kinds: the types of all settings by these names; in the file a name has hyphens instead of underscores.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or says something that is no setting or no value of one.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigurationError(f"{path} is no file: write the settings into one")
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror or error})") from error
    if len(data) > LIMIT_BYTES:
        raise ConfigurationError(f"{path} is larger than {LIMIT_BYTES} bytes: no configuration")
    import tomllib  # noqa: PLC0415 - most devices have no such file

    try:
        return parse(data.decode(), kinds)
    except (ConfigurationError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except (RecursionError, ValueError) as error:
        fault = "brackets stand too deep in one another, or a number has thousands of digits"
        raise ConfigurationError(f"{path}: {fault}; each setting is one line, name = value") from error


def parse(text: str, kinds: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """The settings in a text.

    Raises:
        ConfigurationError, tomllib.TOMLDecodeError: as `read`.
    """
    import tomllib  # noqa: PLC0415 - most devices have no such file

    found: dict[str, bool | int | float | str] = {}
    for name, value in tomllib.loads(text).items():
        kind = kinds.get(name.replace("-", "_"))
        if kind is None or "_" in name:
            raise ConfigurationError(_unknown(name, kinds))
        wanted = _wanted(kind)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ConfigurationError(f"{name} wants {_WORDS[wanted]}, and is {_shown(value)}")
        found[name.replace("-", "_")] = value
    return found


def as_text(name: str, value: object) -> str:
    """One line of a configuration file that says this; a setting without a value as a comment."""
    key = name.replace("_", "-")
    if value is None:
        return f"# {key} is not set"
    return f"{key} = {_literal(value)}"


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    (int, float): "a number",
    str: 'a text in quotes ("...")',
}


def _wanted(kind: Any) -> Any:
    """The type in TOML of a setting's type in Python."""
    bare = next((one for one in get_args(kind) if one is not NoneType), kind)
    if bare is float:
        return (int, float)
    return bare if bare in (bool, int) else str


def _unknown(name: str, kinds: Mapping[str, Any]) -> str:
    known = sorted(kind.replace("_", "-") for kind in kinds)
    meant = nearest(name.replace("_", "-"), known)
    return f"{name} is no setting: did you mean {meant}?" if meant else f"{name} is no setting. All: {', '.join(known)}"


def _shown(value: object) -> str:
    return _literal(value) if isinstance(value, bool | int | float | str) else f"a {type(value).__name__}"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value.value if isinstance(value, Enum) else value)
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
