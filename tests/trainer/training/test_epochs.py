"""The epoch loop: what a checkpoint carries over from the process that was stopped to the one that goes on."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from trainer.training.epochs import Epoch, Method, Training

STEPS = 4


class Counting:
    """A method whose steps take a second each, and whose losses are 1, 2, 3 and so on."""

    epochs, steps_per_epoch = 2, STEPS

    def __init__(self) -> None:
        self.now = 1000.0

    def losses(self, _epoch: int, first_step: int) -> Iterator[float]:
        for step in range(first_step, STEPS):
            self.now += 1.0
            yield float(step + 1)

    def measured(self, epoch: int, loss: float) -> Epoch:
        self.now += 0.5
        return Epoch("data", epoch + 1, "net", loss, 1, 1.0, 1.0, 1.0)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """It has nothing to restore."""


class StoppedError(Exception):
    pass


def _training() -> Training[Method]:
    method = Counting()
    return Training(cast(Method, method), lambda: method.now)


def test_an_epoch_that_was_interrupted_has_the_time_and_the_losses_of_both_parts() -> None:
    stopped, kept = _training(), list[dict[str, Any]]()

    def stop(done: int, _all: int) -> None:
        if done == 3:
            kept.append(stopped.state())
            raise StoppedError

    with pytest.raises(StoppedError):
        stopped.run_epoch(stop)
    resumed = _training()
    resumed.restore(kept[0])
    epoch = resumed.run_epoch()
    assert (epoch.seconds, epoch.loss) == (4.5, 2.5)
    assert resumed.run_epoch().seconds == 4.5  # the next one begins at nothing
    assert resumed.is_done
