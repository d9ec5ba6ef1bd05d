"""Jobs in a process of their own: their memory is gone when it ends, and several run side by side. The door to both.

The parent sends orders as JSON to the standard input of `python -m trainer.app run-orders`; what the jobs say
goes to a log.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from trainer import jobs
from trainer.errors import RunError
from trainer.jobs import EvaluateOrder, Machine, TrainOrder

LOG_LINES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Orders to do one after the other, and where their machine's data sets and cache are."""

    orders: tuple[TrainOrder | EvaluateOrder, ...]
    data_dir: Path | None
    cache_dir: Path


def run_apart(assignment: Assignment, log: Path) -> None:
    """Do jobs in another process, and wait for its end.

    Args:
        log: what the jobs say is appended here.

    Raises:
        RunError: one failed, and the others after it were not begun; the message ends with the last lines of its log.
    """
    command = [sys.executable, "-m", "trainer.app", "run-orders"]
    with log.open("ab") as file:
        text = TypeAdapter(Assignment).dump_json(assignment)
        status = subprocess.run(command, input=text, stdout=file, stderr=file, check=False).returncode  # noqa: S603 - our own
    if status:
        words = ", then ".join(map(described, assignment.orders))
        last = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        raise RunError(f"{words} ended with status {status}; {log} ends with:\n" + "\n".join(last))


def read(text: bytes) -> Assignment:
    """Read the assignment that `run_apart` wrote to standard input.

    Raises:
        RunError: it is something else.
    """
    try:
        return TypeAdapter(Assignment).validate_json(text)
    except ValidationError as error:
        raise RunError(f"standard input holds no orders: {error}") from error


def run_here(orders: Sequence[TrainOrder | EvaluateOrder], machine: Machine) -> None:
    """Do jobs in this process, one after the other."""
    for order in orders:
        if isinstance(order, TrainOrder):
            jobs.train(order, machine)
        else:
            jobs.evaluate(order, machine)


def described(order: TrainOrder | EvaluateOrder) -> str:
    """An order in a few words, for messages."""
    if isinstance(order, TrainOrder):
        return f"training of {order.out} ({order.goal.describe()})"
    return f"evaluation of {order.source} ({order.split})"
