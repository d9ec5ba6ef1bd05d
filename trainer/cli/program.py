"""What every command is given by the program that runs it: a terminal, clocks, and the way to a machine."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from trainer.cli.terminal import Terminal
from trainer.jobs import Machine
from trainer.training.compute import Compute

CACHE = Path("~/.cache/dctwire")


@dataclass(frozen=True, kw_only=True)
class Program:
    """The outside world of the commands.

    Args:
        monotonic: seconds since any moment.
        now: the time of day, with its zone.
        compute: this process's place in a training, by the name of a device.
    """

    terminal: Terminal
    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    compute: Callable[[str], Compute]

    @classmethod
    def of(cls, context: typer.Context) -> "Program":
        """The program that runs a command."""
        program = context.obj
        assert isinstance(program, cls)
        return program

    def machine(self, data_dir: Path | None, cache_dir: Path | None) -> Machine:
        """What jobs are done with, given these folders."""
        return Machine(
            data_dir=data_dir,
            cache_dir=cache_dir or CACHE.expanduser(),
            compute=self.compute,
            monotonic=self.monotonic,
            now=self.now,
            reporter=self.terminal,
        )
