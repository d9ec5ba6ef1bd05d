"""A step in a process of its own: its memory is limited and gone when it ends, and it never outlives the service.

The parent writes the order to a file, starts `python -m trainer.app service-step ORDER ANSWER`, under torchrun where
several processes share the work, and reads the answer from a file. The child's standard input is a pipe that nobody
writes to: where it ends, the parent is gone, however it died, and the child ends at once.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.errors import TrainerError
from trainer.jobs import Machine
from trainer.service.configuration import ServiceSettings
from trainer.service.steps import Answer, Step, run_step
from trainer.whole_file import write_whole

LOOK_SECONDS = 0.2
GRACE_SECONDS = 3.0  # between a polite signal and the last one
LOG_LINES_SHOWN = 5
MIB = 2**20
_EXIT_ORPHANED = 75


class StepOrder(BaseModel):
    """What a process is to do, and what it may take.

    Args:
        memory_mib: private memory of each process; more is refused by the system.
        processes: that share the work.
        data_dir, cache_dir: as for `dctwire-trainer train`; None: what that takes without them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    memory_mib: int
    processes: int
    data_dir: Path | None
    cache_dir: Path | None

    @classmethod
    def of(cls, settings: ServiceSettings, step: Step, processes: int) -> Self:
        """A step with what the service may give it."""
        return cls(
            step=step,
            memory_mib=settings.limits.memory_mib,
            processes=processes,
            data_dir=settings.data_dir,
            cache_dir=settings.cache_dir,
        )


class StepFailedError(TrainerError):
    """A step could not be done; ends with the last lines of its log."""


class StepOverdueError(TrainerError):
    """The training has worked for longer than it may."""


class StepLeftError(TrainerError):
    """A step was left undone: the service is to end, or the training is not its own any more."""


@dataclass(frozen=True)
class Watch:
    """What a parent looks at while a step runs.

    Args:
        must_leave: whether the step is to be left undone.
        seconds_left: that the training may work.
        progress: told the share of the step that is done.
        monotonic: seconds since any moment.
    """

    must_leave: Callable[[], bool]
    seconds_left: float
    progress: Callable[[float], None]
    monotonic: Callable[[], float]


def run_apart(order: StepOrder, folder: Path, watch: Watch) -> Answer:
    """Do a step in another process, and wait for its end.

    Args:
        folder: of the training; order, answer, progress and log of the step are kept there.

    Raises:
        StepFailedError: it could not be done, was killed, or asked for more memory than it may have.
        StepOverdueError: it took too long.
        StepLeftError: as `watch` says.
    """
    name = order.step.step
    asked, answer, log = (folder / f"{name}.{kind}" for kind in ("order.json", "answer.json", "log"))
    answer.unlink(missing_ok=True)
    text = order.model_dump_json(indent=1).encode()
    write_whole(asked, lambda file: file.write(text))
    with log.open("ab") as lines:
        process = _started([*_python(order.processes), "service-step", str(asked), str(answer)], lines)
        try:
            _wait(process, answer, watch)
        finally:
            _end(process)
    if process.returncode:
        raise StepFailedError(f"{name} ended with {_status(process.returncode)}; {log} ends with:\n{_tail(log)}")
    return _read(answer)


def run_here(order_file: Path, answer_file: Path, machine: Callable[[StepOrder, Path], Machine]) -> None:
    """The child's side: do what a file orders, and answer in another.

    Args:
        machine: what to do it with, given where to note how far it is.

    Raises:
        TrainerError: it cannot be done.
    """
    order = StepOrder.model_validate_json(order_file.read_bytes())
    _limit_memory(order.memory_mib)
    _end_with_parent()
    made = run_step(order.step, machine(order, _progress(answer_file)))
    told = made.model_copy(update=_cost()).model_dump_json()
    if os.environ.get("RANK", "0") == "0":
        write_whole(answer_file, lambda file: file.write(told.encode()))


def _cost() -> dict[str, float]:
    used, of_children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(each.ru_utime + each.ru_stime for each in (used, of_children))
    return {"cpu_seconds": cpu, "peak_bytes": 1024 * used.ru_maxrss}


def note_progress(path: Path, share: float) -> None:
    """Leave word for the parent how much of the step is done, 0 to 1."""
    partial = path.with_name(f"{path.name}.new")
    partial.write_text(f"{share:.4f}")
    partial.replace(path)


def _started(command: list[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own words


def _python(processes: int) -> list[str]:
    if processes == 1:
        return [sys.executable, "-m", "trainer.app"]
    return [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "-m", "trainer.app"]


def _wait(process: "subprocess.Popen[bytes]", answer: Path, watch: Watch) -> None:
    until = watch.monotonic() + watch.seconds_left
    while True:
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            watch.progress(_share(_progress(answer)))
        else:
            return
        if watch.must_leave():
            raise StepLeftError("the step was left undone")
        if watch.monotonic() >= until:
            raise StepOverdueError("it has worked for longer than [limits] hours allows")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs, with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.stdin is not None
    process.stdin.close()


def _status(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


def _read(answer: Path) -> Answer:
    try:
        return Answer.model_validate_json(answer.read_bytes())
    except (OSError, ValidationError) as error:
        raise StepFailedError(f"{answer} holds no answer: {error}") from error


def _progress(answer: Path) -> Path:
    return answer.with_name(f"{answer.name}.share")


def _share(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0


def _limit_memory(mib: int) -> None:
    """RLIMIT_DATA: private memory that may be written, which counts no mapped libraries, as RLIMIT_AS would."""
    resource.setrlimit(resource.RLIMIT_DATA, (mib * MIB, mib * MIB))


def _end_with_parent() -> None:
    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(_EXIT_ORPHANED)

    threading.Thread(target=watch, name="end with the service", daemon=True).start()
