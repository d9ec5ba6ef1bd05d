"""A job in a process of its own: its memory is gone when it ends, and several run side by side. The one door to both.

The parent sends an order as JSON to the standard input of `python -m trainer.app run-order`; what the job says goes to
a log.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from trainer import jobs
from trainer.errors import RunError
from trainer.jobs import EvaluateOrder, Machine, TrainOrder

LOG_LINES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """An order, and where its machine's data sets and cache are."""

    order: TrainOrder | EvaluateOrder
    data_dir: Path | None
    cache_dir: Path


def run_apart(assignment: Assignment, log: Path) -> None:
    """Do a job in another process, and wait for its end.

    Args:
        log: what the job says is appended here.

    Raises:
        RunError: it failed; the message ends with the last lines of its log.
    """
    command = [sys.executable, "-m", "trainer.app", "run-order"]
    with log.open("ab") as file:
        text = TypeAdapter(Assignment).dump_json(assignment)
        status = subprocess.run(command, input=text, stdout=file, stderr=file, check=False).returncode  # noqa: S603 - our own
    if status:
        last = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        raise RunError(f"{words(assignment.order)} ended with status {status}; {log} ends with:\n" + "\n".join(last))


def read(text: bytes) -> Assignment:
    """What `run_apart` wrote to standard input.

    Raises:
        RunError: it is something else.
    """
    try:
        return TypeAdapter(Assignment).validate_json(text)
    except ValidationError as error:
        raise RunError(f"standard input holds no order: {error}") from error


def do(order: TrainOrder | EvaluateOrder, machine: Machine) -> None:
    """Do the job in this process."""
    if isinstance(order, TrainOrder):
        jobs.train(order, machine)
    else:
        jobs.evaluate(order, machine)


def words(order: TrainOrder | EvaluateOrder) -> str:
    """An order in a few words, for messages."""
    if isinstance(order, TrainOrder):
        return f"training of {order.out} ({order.goal.describe()})"
    return f"evaluation of {order.source} ({order.split})"
