"""The progress bar that a person sees whose run has an end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sensor_client.spool import Spool

SETTLED = ("acknowledged", "refused", "dropped", "unreadable")
"""What is counted of frames that need nothing more."""


@contextmanager
def shown_progress(spool: Spool, total: int) -> Iterator[Callable[[], None]]:
    """Show on stderr how many of `total` pictures, and of the frames that wait already, are settled.

    Yields:
        what moves the bar on.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    before = spool.counters()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("frames", total=total + spool.depth().frames)

        def watch() -> None:
            after = spool.counters()
            done = sum(getattr(after, name) - getattr(before, name) for name in SETTLED)
            progress.update(task, completed=done, description=f"frames ({spool.depth().frames} waiting)")

        yield watch
