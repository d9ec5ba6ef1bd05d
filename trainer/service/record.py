"""The server's record of trainings, as the service asks and tells it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from trainer.service.operator_program import OperatorProgram, OperatorProgramError
from trainer.service.signals import RunTold, Signals, Trigger
from trainer.whole_file import write_whole

_M = TypeVar("_M", bound=BaseModel)
TOLD_SECONDS = 60.0  # in which a word about how far a training is must be through


class Record:
    """Asks and tells.

    Args:
        worker: what the server calls this service.
        lease_seconds: for how long a training is this service's with each word.
    """

    def __init__(self, program: OperatorProgram, worker: str, lease_seconds: float) -> None:
        self._program = program
        self.worker = worker
        self.lease_seconds = lease_seconds

    def signals(self, family: str) -> Signals:
        """What the server knows of a family.

        Raises:
            RefusalError, NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        return _as(Signals, self._program.ask("runs", "signals", family))

    def rollout(self, family: str) -> str | None:
        """The family's rollout that is not over, if any.

        Raises:
            RefusalError, NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        listed = self._program.ask("rollout", "list", "--family", family, "--limit", "1")["rollouts"]
        return next((str(row["id"]) for row in listed if row.get("ended_at") is None), None)

    def take(self, family: str, trigger: Trigger) -> RunTold:
        """Take the family's run that waits, go on with this service's own, or begin one.

        Raises:
            RefusalError: another service has it.
            NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        asked = ("runs", "take", family, "--trigger", trigger.value, *self._held())
        return _as(RunTold, self._program.ask(*asked))

    def tell(self, run: str, stage: str, share: float) -> None:
        """Say how far a run is, and keep it for another lease.

        Raises:
            RefusalError: it is not this service's any more, or was cancelled.
            NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        how_far = ("--stage", stage, "--share", f"{share:.3f}")
        self._program.ask("runs", "tell", run, *self._held(), *how_far, seconds=TOLD_SECONDS)

    def end(self, run: str, outcome: str, document: Mapping[str, Any], file: Path) -> None:
        """Say what came of a run; safe to repeat.

        Args:
            file: where the document is written for that.

        Raises:
            RefusalError: it is not this service's, or has ended otherwise.
            NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        write_whole(file, lambda out: out.write(json.dumps(document, indent=1).encode()))
        self._program.ask("runs", "end", run, "--worker", self.worker, "--outcome", outcome, "--document", file)

    def _held(self) -> tuple[str, ...]:
        return "--worker", self.worker, "--seconds", f"{self.lease_seconds:g}"


def _as(kind: type[_M], document: dict[str, Any]) -> _M:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise OperatorProgramError(
            f"the server tells something else than this version of the trainer reads: {error.errors()[0]['msg']} at "
            f"{error.errors()[0]['loc']}"
        ) from error
