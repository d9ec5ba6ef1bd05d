"""A bundle's way out: published by the trainer's key, and a rollout that is left as a draft or started."""

import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import TrainerError
from trainer.service.configuration import FamilySettings, ServiceSettings
from trainer.service.job_state import AttemptKind, Published, Rollout
from trainer.service.operator_program import OperatorProgram, RefusalError

TO_SIGN_NAME = "to-sign.json"
ROLLOUTS_LISTED = "100"
_TOO_FEW, _TAKEN = "too-few-signatures", "conflict"
_NOT_TO_BE_OPENED = {"conflict", "role-needed", "bad-request", "below-floor", "not-listed", "plan"}


class NumberTakenError(TrainerError):
    """The bundle's number is published with other contents: it has to be exported under a higher one."""


@dataclass(frozen=True)
class Publisher:
    """Publishes what all gates let through."""

    program: OperatorProgram
    settings: ServiceSettings

    def next_counter(self, family: str, used: Iterable[int]) -> int:
        """A number above all that are published, and above those that were used and may still be signed.

        Raises:
            RefusalError, NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        rows = self.program.ask("bundles")["bundles"]
        return 1 + max((*used, *(int(row["counter"]) for row in rows if row["family"] == family)), default=0)

    def publish(self, family: str, kind: AttemptKind, bundle: Path, folder: Path) -> Published:
        """Sign and publish a bundle; where others must sign too, say how it goes on. Safe to repeat.

        Args:
            folder: of the training; what is to be signed goes there.

        Raises:
            NumberTakenError: others were faster with this number.
            RefusalError, NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        try:
            self.program.ask("publish", bundle, *self._keys())
        except RefusalError as error:
            if error.code == _TAKEN:
                raise NumberTakenError(error.detail) from error
            if error.code != _TOO_FEW:
                raise
            return self._to_be_signed(family, kind, bundle, folder)
        return Published(attempt=kind, is_signed=True)

    def roll_out(self, family: str, settings: FamilySettings, counter: int, note: str) -> Rollout:
        """Open a rollout to a published bundle as the family's policy says, or find the one that was opened.

        Raises:
            RefusalError, NotReachedError, OperatorProgramError: as `OperatorProgram.ask`.
        """
        listed = self.program.ask("rollout", "list", "--family", family, "--limit", ROLLOUTS_LISTED)["rollouts"]
        there = next((str(row["id"]) for row in listed if row["counter"] == counter), None)
        is_started = settings.policy == "start"
        if there is None:
            try:
                made = self.program.ask(*self._start(family, settings, counter), "--note", note)
            except RefusalError as error:
                if error.code not in _NOT_TO_BE_OPENED:
                    raise
                words = f"no rollout could be opened: {error.detail}"
                return Rollout(
                    rollout=None, is_started=False, words=words, commands=(start_command(family, settings, counter),)
                )
            there = str(made["id"])
        if is_started:
            return Rollout(rollout=there, is_started=True, words=f"rollout {there} leads {family} to v{counter}")
        return Rollout(
            rollout=there,
            is_started=False,
            words=f"rollout {there} waits as a draft",
            commands=(f"dctwire rollout resume {there}",),
        )

    def _start(self, family: str, settings: FamilySettings, counter: int) -> tuple[str, ...]:
        plan = () if settings.plan is None else ("--plan", str(settings.plan))
        draft = ("--draft",) if settings.policy == "draft" else ()
        return ("rollout", "start", family, str(counter), *plan, *draft)

    def _keys(self) -> tuple[str | Path, ...]:
        secret = self.settings.passphrase_file
        return ("--keys", self.settings.keys, *(() if secret is None else ("--passphrase-file", secret)))

    def _to_be_signed(self, family: str, kind: AttemptKind, bundle: Path, folder: Path) -> Published:
        waiting, here = self.settings.keys / f"{family}.to-sign.json", folder / TO_SIGN_NAME
        shutil.copyfile(waiting, here)
        commands = (
            shlex.join(["dctwire", "trust", "sign", str(here), "--keys", "APPROVER"]),
            shlex.join(["dctwire", "publish", str(bundle), *map(str, self._keys()), "--signed", str(here)]),
        )
        return Published(attempt=kind, is_signed=False, to_sign=here, commands=commands)


def start_command(family: str, settings: FamilySettings, counter: int) -> str:
    """What an operator types to start the rollout that could not be opened."""
    plan = [] if settings.plan is None else ["--plan", str(settings.plan)]
    return shlex.join(["dctwire", "rollout", "start", family, str(counter), *plan])
