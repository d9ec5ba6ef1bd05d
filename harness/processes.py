"""Real programs as child processes: run one to its end, keep one running, wait for a condition with a deadline."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

BIN = Path(sys.executable).parent
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
LOOK_SECONDS = 0.2

Command = Sequence[str]

_T = TypeVar("_T")


class ProgramError(Exception):
    """A program ended with an error, or did not do in time what was waited for."""


def run(command: Command, *, log: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run one of our programs to its end; its standard output, or "" when it draws on the terminal itself.

    Args:
        command: program (found beside this Python) and its arguments.
        log: where its standard error goes; without one, output and progress bars go to the terminal.

    Raises:
        ProgramError: it failed; carries the end of what it said.
    """
    if log is None:
        code = subprocess.run(_located(command), env=_environment(env), check=False).returncode
        output, said = "", "see above"
    else:
        with log.open("a+b") as file:
            done = subprocess.run(
                _located(command), env=_environment(env), stdout=subprocess.PIPE, stderr=file, check=False
            )
        code, output = done.returncode, done.stdout.decode()
        said = f"{output}\n{tail(log)}".strip()
    if code != 0:
        raise ProgramError(f"`{' '.join(command)}` ended with {code}: {said}")
    return output


def run_side_by_side(foreground: Command, background: Command, log: Path, seconds: float) -> None:
    """Run two programs at once; the first draws on the terminal, the second writes to a log.

    Raises:
        ProgramError: one of them failed, or the second did not end within `seconds` after the first.
    """
    with Running(background, log) as other:
        run(foreground)
        other.wait(seconds)


class Running:
    """A program that runs beside us; leaving the `with` block stops it in order.

    Args:
        log: where its output goes; None: it draws on the terminal itself.
    """

    def __init__(self, command: Command, log: Path | None, env: Mapping[str, str] | None = None) -> None:
        self.command = tuple(command)
        self.log = log
        with contextlib.nullcontext() if log is None else log.open("ab") as file:
            self._child = subprocess.Popen(
                _located(command),
                env=_environment(env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # Ctrl-C is ours to handle: children are stopped in order
            )
        self._is_left_running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_left_running:
            self.stop()

    def leave_running(self) -> int:
        """Do not stop it at the end of the `with` block; its process id."""
        self._is_left_running = True
        return self._child.pid

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.poll() is None

    def stop(self) -> int:
        """SIGTERM, and SIGKILL when that does not end it in time; the exit status."""
        if self.is_running:
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL: what a power cut looks like."""
        self._child.kill()
        return self._child.wait()

    def wait(self, seconds: float) -> None:
        """Wait for it to end well by itself.

        Raises:
            ProgramError: it did not in time, or ended with an error.
        """
        command = " ".join(self.command)
        try:
            code = self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"`{command}` still runs after {seconds:g} s: {tail(self.log)}") from None
        if code != 0:
            raise ProgramError(f"`{command}` ended with {code}: {tail(self.log)}")

    def wait_for(self, question: Callable[[], _T | None], seconds: float, what: str) -> _T:
        """Ask until the answer is not None or false.

        Raises:
            ProgramError: the program ended, or the deadline passed.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := question():
                return answer
            if not self.is_running:
                raise ProgramError(f"`{' '.join(self.command)}` ended while waiting for {what}: {tail(self.log)}")
            time.sleep(POLL_SECONDS)
        raise ProgramError(f"no {what} within {seconds:g} s: {tail(self.log)}")


def wait_for_all(programs: Sequence[Running], seconds: float, look: Callable[[], object]) -> None:
    """Wait for programs to end well by themselves, and look at something meanwhile, again and again.

    Raises:
        ProgramError: one did not in time, or ended with an error.
    """
    deadline = time.monotonic() + seconds
    while any(program.is_running for program in programs) and time.monotonic() < deadline:
        look()
        time.sleep(LOOK_SECONDS)
    for program in programs:
        if program.is_running:
            raise ProgramError(f"`{' '.join(program.command)}` still runs after {seconds:g} s: {tail(program.log)}")
        program.wait(0)
    look()


def stop_program(pid: int, folder: Path) -> bool:
    """SIGTERM to a process that an earlier program left running, if it is still one that works in `folder`; whether.

    Raises:
        ProgramError: it does not end in time.
    """
    deadline = time.monotonic() + STOP_SECONDS
    was_running = f"{folder}/" in _command_line(pid)
    while f"{folder}/" in _command_line(pid):
        if time.monotonic() > deadline:
            raise ProgramError(f"process {pid} does not end; stop it by hand")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        time.sleep(POLL_SECONDS)
    return was_running


def _command_line(pid: int) -> str:
    """What runs under a process id, whole; "" when nothing does. A number may belong to another program by now."""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout


def tail(log: Path | None, lines: int = 12) -> str:
    """The end of a log file; where there is none, what was said is on the terminal."""
    if log is None:
        return "see above"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _located(command: Command) -> list[str]:
    return [str(BIN / command[0]), *command[1:]]


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(extra or {})}
