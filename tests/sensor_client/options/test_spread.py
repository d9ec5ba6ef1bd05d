"""A dataclass is spread out into a command's parameters, and put together again when it is called."""

from dataclasses import dataclass
from inspect import signature

from sensor_client.options.spread import spread


@dataclass(frozen=True, kw_only=True)
class First:
    where: str


@dataclass(frozen=True, kw_only=True)
class Both(First):
    often: int = 3


def test_a_command_shows_its_own_parameters_and_each_of_the_dataclass_and_takes_them_as_one() -> None:
    called: list[tuple[int, Both]] = []

    @spread(Both)
    def command(own: int, chosen: Both) -> None:
        """What it does."""
        called.append((own, chosen))

    command(own=1, where="here", often=5)

    assert called == [(1, Both(where="here", often=5))]
    shown = signature(command).parameters
    assert list(shown) == ["own", "where", "often"]
    assert (shown["where"].annotation, shown["often"].default) == (str, 3)
    assert command.__doc__ == "What it does."
