"""Commands that read a configuration file: it stands behind the command line and the environment, before defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from sensor_client import configuration
from sensor_client.configuration import ConfigurationError
from sensor_client.options.sets import EverySetting

FILE_NAME = "sensor.toml"
"""Of the configuration file in a state directory."""
_OF_THE_FILE = "DEFAULT_MAP"  # what Click calls a value of `default_map`
_SAID_BEFORE_IT = ("state", "config")  # they say where the file is


@dataclass(frozen=True)
class Origin:
    """Where the value of a setting comes from, in words, and whether anybody has chosen it."""

    words: str
    is_chosen: bool


class Configured(TyperCommand):
    """A command whose settings may stand in a file: `@app.command(cls=Configured)`, with `state` and `config`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the file before the values of options are looked up."""
        typed, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        if not typed.get("help"):
            self._read_file(ctx, typed)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if error.param is not None and _is_of_the_file(ctx, error.param.name):
                error.message = f"in {ctx.meta[__name__]}: {error.message}"
            raise

    def _read_file(self, ctx: Any, typed: Mapping[str, Any]) -> None:
        parameters = {parameter.name: parameter for parameter in self.get_params(ctx)}
        config, state = (
            typed.get(name) or parameters[name].value_from_envvar(ctx) if name in parameters else None
            for name in ("config", "state")
        )
        path = Path(str(config or Path(str(state or ".")) / FILE_NAME))
        if not config and not (state and path.is_file()):
            return
        try:
            found = configuration.read(path, _kinds())
        except ConfigurationError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param_hint="--config") from error
        ctx.meta[__name__] = path
        ctx.default_map = found


class ConfiguredWithoutSource(Configured):
    """One that works where nobody has said yet where pictures come from: `source` may be None."""

    def get_params(self, ctx: Any) -> list[Any]:
        """See Click."""
        found = super().get_params(ctx)
        for parameter in found:
            if parameter.name == "source":
                parameter.required = False
        return found


def origins(ctx: typer.Context) -> dict[str, Origin]:
    """Where each setting of a command in progress has its value from."""
    return {parameter.name: _origin(ctx, parameter) for parameter in ctx.command.params if parameter.name in _kinds()}


def _origin(ctx: typer.Context, parameter: Any) -> Origin:
    source = ctx.get_parameter_source(parameter.name)
    match None if source is None else source.name:
        case "COMMANDLINE":
            return Origin("the command line", is_chosen=True)
        case "ENVIRONMENT":
            return Origin(f"the environment, {parameter.envvar}", is_chosen=True)
        case "DEFAULT_MAP":
            return Origin(f"the file {ctx.meta[__name__]}", is_chosen=True)
        case _:
            return Origin("the default", is_chosen=False)


def _is_of_the_file(ctx: Any, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == _OF_THE_FILE


def _kinds() -> dict[str, Any]:
    """What a file may say: the types of all settings by their names."""
    hints = get_type_hints(EverySetting)
    return {field.name: hints[field.name] for field in fields(EverySetting) if field.name != "config"}
