"""Whom a job tells how far it has come: a terminal, a log, or nobody."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from trainer.data.dataset import Progress
from trainer.training.epochs import Epoch


class Reporter(Protocol):
    """Takes what a person wants to know while a job runs."""

    def say(self, text: str) -> None:
        """Show one line of plain text."""

    def warn(self, word: str, text: str) -> None:
        """Show a line that a person should not miss; it begins with a word in a colour."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Show the figures of an epoch that ended.

        Args:
            epochs: how many epochs the run has.
        """

    def bar(self, task: str) -> AbstractContextManager[Progress]:
        """Show a bar for as long as the context lasts; what it gives is called with what is done and what there is."""


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def warn(self, word: str, text: str) -> None:
        """Do nothing."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Do nothing."""

    def bar(self, _task: str) -> AbstractContextManager[Progress]:
        """Show no bar."""
        return nullcontext(lambda _done, _total: None)
