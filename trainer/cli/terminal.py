"""The terminal that a person sits at: lines, tables and progress bars, on standard error. The door to Rich.

Where standard error is no terminal but a file or a pipe, lines say how far a job has come instead of bars.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from shared.text_table import text_table
from trainer.data.dataset import Progress as Done
from trainer.training.epochs import Epoch

LINE_SECONDS = 30  # between two lines of one bar


class Terminal:
    """A `Reporter` for people; what a program may read goes to standard output and not through here.

    Args:
        clock: seconds since any moment.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock

    @classmethod
    def on_standard_error(cls, clock: Callable[[], float]) -> "Terminal":
        """The terminal that programs use unless they are given another."""
        return cls(Console(stderr=True, highlight=False, soft_wrap=True), clock)

    def mute(self) -> None:
        """Show nothing from here on, as in all processes of a training but the first."""
        self._console.quiet = True

    def say(self, text: str) -> None:
        """Show one line of plain text."""
        self._console.print(text, markup=False)

    def warn(self, word: str, text: str) -> None:
        """Show a line that begins with a word in yellow."""
        self._console.print(f"[yellow]{word}:[/]", end=" ")
        self._console.print(text, markup=False)

    def fail(self, text: str) -> None:
        """Show what went wrong, as the last line."""
        self._console.print("[bold red]error:[/]", end=" ")
        self._console.print(text, markup=False)

    def show(self, table: Table) -> None:
        """Show a table; a row that does not fit becomes a block of lines, and nothing is cut."""
        self.say(laid_out(table, self._console.width))

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Show the figures of an epoch that ended, in a line."""
        self.say(epoch_line(epoch, epochs))

    @contextmanager
    def bar(self, task: str) -> Iterator[Done]:
        """Show a bar with counts, elapsed and remaining time, which vanishes at the end; or a line now and then."""
        if not self._console.is_terminal:
            yield self._lines(task)
            return
        with self._bars() as bars:
            number = bars.add_task(task, total=None)
            yield lambda done, total: bars.update(number, completed=done, total=total)

    @contextmanager
    def counter(self, task: str) -> Iterator["Counter"]:
        """Show a bar whose text changes, which vanishes at the end; or a line for each that is done."""
        if not self._console.is_terminal:
            yield self._counted_lines()
            return
        with self._bars() as bars:
            number = bars.add_task(task, total=None)
            yield lambda name, total: bars.update(number, advance=1, total=total, description=name)

    def _lines(self, task: str) -> Done:
        last = self._clock()

        def show(done: int, total: int) -> None:
            nonlocal last
            if self._clock() - last >= LINE_SECONDS:
                last = self._clock()
                self.say(f"{task}: {done} of {total}")

        return show

    def _counted_lines(self) -> "Counter":
        began, done = self._clock(), 0

        def show(name: str, total: int) -> None:
            nonlocal done
            done += 1
            self.say(f"{done} of {total} done after {self._clock() - began:.0f} s: {name}")

        return show

    def _bars(self) -> Progress:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        return Progress(*columns, console=self._console, transient=True)


Counter = Callable[[str, int], None]
"""One more is done: its name, and how many there are in all."""


def print_unless_read(figures: BaseModel) -> None:
    """Print figures as JSON for a program, on standard output; a person at a terminal has seen them as a table."""
    if not sys.stdout.isatty():
        print(figures.model_dump_json())


def laid_out(table: Table, columns: int) -> str:
    """A table as plain text within so many columns, its title above and its caption below."""
    headings = [_plain(column.header) for column in table.columns]
    rows = [[_plain(cell) for cell in row] for row in zip(*(column.cells for column in table.columns), strict=True)]
    parts = (_plain(table.title or ""), text_table(headings, rows, columns), _plain(table.caption or ""))
    return "\n\n".join(filter(None, parts)) + "\n"


def _plain(text: RenderableType) -> str:
    return Text.from_markup(text).plain if isinstance(text, str) else str(text)


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """One epoch in a line."""
    learning = "" if epoch.price is None else f", lambda {epoch.price:.2g}, rate model off by {epoch.rate_error:.1%}"
    return (
        f"epoch {epoch.epoch}/{epochs} {epoch.phase}: loss {epoch.loss:.3f}, "
        f"validation accuracy {epoch.validation_accuracy:.1%} at {epoch.scan_bytes:.1f} scan bytes "
        f"(n = {epoch.n}){learning} "
        f"({epoch.seconds:.1f} s)"
    )
