"""The program `dctwire`, by which alone the service speaks to the server: the one door to it.

What an operator could type is what the service types: the same checks, keys, errors and audit, and nothing of the
server is imported here.
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.wire import ProblemCode
from shared.wire.problems import Retry
from trainer.errors import TrainerError

SECONDS = 600.0
"""After which a command that does not end is taken for one that cannot reach the server."""
_LOOK_SECONDS = 0.2
_SHOWN_CHARACTERS = 400
_NOT_REACHED = {"unreachable", "unreachable-by-proxy", "no-tls"} | {
    code.value for code in ProblemCode if code.retry is Retry.LATER and code is not ProblemCode.NO_ASSIGNMENT
}


class OperatorProgramError(TrainerError):
    """`dctwire` cannot be run, or says what it never should."""


class NotReachedError(TrainerError):
    """The server does not answer, or cannot now: try again."""


class AskedToStopError(TrainerError):
    """The service was asked to stop while a command ran."""


class RefusalError(TrainerError):
    """The command, or the server, refused.

    Args:
        code: as `dctwire --json` has it, such as `conflict`; may be empty.
        next_step: what it advises, if anything.
    """

    def __init__(self, code: str, detail: str, next_step: str) -> None:
        super().__init__(f"{detail} ({code})" if code else detail)
        self.code = code
        self.detail = detail
        self.next_step = next_step


@dataclass(frozen=True)
class OperatorProgram:
    """Runs `dctwire`.

    Args:
        program: the program's file, or its name on the PATH.
        server: the operator plane.
        insecure: whether the token may go over plain HTTP to another machine.
        is_stopped: whether the service is to end: a command is not waited for then.
    """

    program: str
    server: str
    token_file: Path
    insecure: bool
    is_stopped: Callable[[], bool]

    def ask(self, *words: str | Path, seconds: float = SECONDS) -> dict[str, Any]:
        """Type `dctwire WORDS --json`; returns its JSON.

        Raises:
            RefusalError: it says no.
            NotReachedError: the server does not answer, or not in time.
            AskedToStopError: the service is to end.
            OperatorProgramError: there is no such program, or it gives no JSON.
        """
        status, told, errors = self._ended(self._command(words), seconds)
        document = _read(told)
        if document is None or ("error" in document) != (status != 0):
            raise OperatorProgramError(f"{words[0]} ended with status {status} and no JSON: {_last(errors or told)}")
        if status != 0:
            raise _refusal(document["error"])
        return document

    def _command(self, words: tuple[str | Path, ...]) -> list[str]:
        reaching = ["--server", self.server, "--token-file", str(self.token_file), "--json"]
        return [self.program, *map(str, words), *reaching, *(["--insecure"] if self.insecure else [])]

    def _ended(self, command: list[str], seconds: float) -> tuple[int, str, str]:
        """Run it until it ends, time is over, or the service is to end; it does not outlive the latter two."""
        try:
            process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise OperatorProgramError(
                f"{self.program} cannot be run ({error.strerror}): install dctwire, or say where it is with "
                "`program` in service.toml"
            ) from error
        with process:
            for _ in range(max(1, round(seconds / _LOOK_SECONDS))):
                try:
                    told, errors = process.communicate(timeout=_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    if self.is_stopped():
                        process.kill()
                        raise AskedToStopError(f"stopped while {command[1]} ran") from None
                else:
                    return process.returncode, told, errors
            process.kill()
        raise NotReachedError(f"{self.program} {command[1]} did not end within {seconds:g} s")


def _last(said: str) -> str:
    return " ".join(said.split())[-_SHOWN_CHARACTERS:]


def _read(told: str) -> dict[str, Any] | None:
    try:
        document = json.loads(told)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(error: Any) -> TrainerError:
    said = error if isinstance(error, dict) else {}
    code, detail, next_step = (str(said.get(name, "")) for name in ("code", "detail", "next"))
    if code in _NOT_REACHED or re.match(r"5\d\d ", detail):  # what the server cannot do now begins with its HTTP status
        return NotReachedError(detail)
    return RefusalError(code, detail, next_step)
