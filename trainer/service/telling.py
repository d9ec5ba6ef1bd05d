"""A reporter that also leaves word in a file how much of a step is done."""

from contextlib import AbstractContextManager
from pathlib import Path

from trainer.data.dataset import Progress
from trainer.service.step_process import note_progress
from trainer.training.epochs import Epoch
from trainer.training.reporter import Reporter


class Telling:
    """Passes everything on, and notes after each epoch how many of them are done."""

    def __init__(self, reporter: Reporter, progress: Path) -> None:
        self._reporter = reporter
        self._progress = progress

    def say(self, text: str) -> None:
        """Show one line of plain text."""
        self._reporter.say(text)

    def warn(self, word: str, text: str) -> None:
        """Show a line that a person should not miss."""
        self._reporter.warn(word, text)

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Show the figures of an epoch that ended, and note it."""
        note_progress(self._progress, epoch.epoch / epochs)
        self._reporter.epoch(epoch, epochs)

    def bar(self, task: str) -> AbstractContextManager[Progress]:
        """Show a bar for as long as the context lasts."""
        return self._reporter.bar(task)
