"""What the device remembers of assignments: how far it has settled them, and what it turned down."""

from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from sensor_client import durable

_log = structlog.get_logger(__name__)


class RefusedOffer(BaseModel):
    """The last bundle turned down, and why."""

    model_config = ConfigDict(frozen=True)

    seq: int
    target: str
    code: str
    reason: str


class Settled(BaseModel):
    """Everything up to assignment `seq` is decided: run, or refused.

    `floor_counter` is the highest `min_counter` of the bundles this device has run.
    """

    model_config = ConfigDict(frozen=True)

    seq: int = 0
    floor_counter: int = 0
    activations: int = 0
    refusals: int = 0
    last_refused: RefusedOffer | None = None


class SettledFile:
    """Keeps `Settled` on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Settled:
        """What was kept; a damaged file counts as none, so that the assignment is asked for again."""
        try:
            return Settled.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Settled()
        except (OSError, ValidationError) as error:
            _log.error("settled_file_damaged", reason=type(error).__name__)
            return Settled()

    def save(self, settled: Settled) -> None:
        durable.write_file(self._path, settled.model_dump_json().encode())
