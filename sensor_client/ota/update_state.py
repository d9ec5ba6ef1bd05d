"""What a device must remember of its updates over a restart, and the file that keeps it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensor_client.logs import get_logger
from shared import durable
from shared.trust import TrustError
from shared.wire import AssignmentOutcome

_log = get_logger(__name__)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class RefusedOffer(_Record):
    """The last bundle that was turned down, and why."""

    seq: int
    target: str
    code: str
    reason: str

    @property
    def is_final(self) -> bool:
        """Whether the same offer is never tried again: a bundle that did not verify may do so later."""
        return self.code != TrustError.code


class Running(_Record):
    """The bundle in use is the one to stay with."""

    kind: Literal["running"] = "running"


class Trial(_Record):
    """The bundle in use must prove itself; the one before lies in the other slot.

    Args:
        target: the bundle's path in the signed targets.
        digest: SHA-256 of the bundle's bytes, in hex.
        boots: starts of the program since the trial began.
        crashes: those of them in a row that ended neither in order nor after a first frame.
        proofs: uploads that were encoded with the bundle and answered by its own classifier.
        refusals: uploads that were encoded with the bundle and refused for good.
    """

    kind: Literal["trial"] = "trial"
    target: str
    digest: str
    boots: int = 0
    crashes: int = 0
    proofs: int = 0
    refusals: int = 0


class UpdateState(_Record):
    """The durable part of the update machine's state.

    Args:
        seq: the assignment that was decided last, by running its bundle or by refusing it; 0 before the first.
        floor_counter: the highest `min_counter` that verified metadata or a bundle that ran here has named.
        rejected_digests: bundles that failed their trial here, the latest last.
        outbox: outcomes that the server does not know yet, the latest last.
        last_outcome: the latest outcome, also after the server knows it.
        probing_seconds_left: how long the program is still to run before the bundle in the other slot makes no more
            probes; 0 also where an earlier program switched the slots, and did not say when.
    """

    seq: int = 0
    floor_counter: int = 0
    activations: int = 0
    refusals: int = 0
    last_refused: RefusedOffer | None = None
    phase: Annotated[Running | Trial, Field(discriminator="kind")] = Running()
    rejected_digests: tuple[str, ...] = ()
    outbox: tuple[AssignmentOutcome, ...] = ()
    last_outcome: AssignmentOutcome | None = None
    probing_seconds_left: float = 0.0


class UpdateStateFile:
    """Keeps an `UpdateState` on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> UpdateState:
        """What was kept. A damaged file counts as none, so that the device asks for its assignment again."""
        try:
            return UpdateState.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return UpdateState()
        except (OSError, ValidationError) as error:
            _log.error("update-state-damaged", reason=type(error).__name__)
            return UpdateState()

    def save(self, state: UpdateState) -> None:
        """Replace what was kept; it is on disk when this returns.

        Raises:
            OSError: the disk would not take it; what was kept before is still there.
        """
        durable.write_file(self._path, state.model_dump_json().encode())
