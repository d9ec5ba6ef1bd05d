"""What the trainer shows to a person: tables, and how far a job has come, in lines where standard error is a file."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from trainer.cli.tables import recipe_table
from trainer.cli.terminal import Terminal
from trainer.recipes import recipe as recipes


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def in_file(clock: Clock) -> tuple[Terminal, io.StringIO]:
    written = io.StringIO()
    return Terminal(Console(file=written, width=200), clock), written


def test_a_long_job_says_every_half_minute_how_far_it_is() -> None:
    clock = Clock()
    terminal, written = in_file(clock)
    with terminal.bar("epoch 1/3") as progress:
        for done in range(1, 101):
            clock.seconds += 1
            progress(done, 100)
    assert written.getvalue().splitlines() == [f"epoch 1/3: {done} of 100" for done in (30, 60, 90)]


def test_a_short_job_says_nothing() -> None:
    terminal, written = in_file(Clock())
    with terminal.bar("epoch 1/3") as progress:
        progress(1, 1)
    assert not written.getvalue()


def test_each_run_of_a_series_has_a_line() -> None:
    clock = Clock()
    terminal, written = in_file(clock)
    with terminal.counter("base") as counter:
        for name in ("base", "jpeg-100"):
            clock.seconds += 61
            counter(name, 3)
    assert written.getvalue().splitlines() == ["1 of 3 done after 61 s: base", "2 of 3 done after 122 s: jpeg-100"]


def test_on_a_terminal_there_are_bars() -> None:
    written = io.StringIO()
    terminal = Terminal(Console(file=written, width=200, force_terminal=True), Clock())
    with terminal.counter("base") as counter:
        counter("jpeg-100", 3)
    assert "1/3" in written.getvalue()
    assert "done after" not in written.getvalue()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_recipe_and_variant_is_whole_at_any_width(columns: int) -> None:
    names = recipes.shipped_names()
    variants = {name: [*recipes.variants_of(name)] for name in names}
    shown = io.StringIO()
    rows = [(name, recipes.load(name), variants[name]) for name in names]
    Terminal(Console(file=shown, width=columns), Clock()).show(recipe_table(rows))
    text = shown.getvalue()
    assert not [name for name in names if name not in text]
    assert not [variant for of in variants.values() for variant in of if variant not in text]
    assert "…" not in text


def test_title_and_caption_stand_around_a_table_and_markup_is_no_part_of_it() -> None:
    shown = io.StringIO()
    table = Table(title="all", caption="n = 2")
    table.add_column("class")
    table.add_row(r"a \[b]")
    Terminal(Console(file=shown, width=80), Clock()).show(table)
    assert shown.getvalue().split() == ["all", "class", "─────", "a", "[b]", "n", "=", "2"]
