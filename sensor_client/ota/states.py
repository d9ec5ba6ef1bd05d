"""The words of the update machine: the state it is in, the events it hears of, and the actions it asks for."""

import hashlib
from dataclasses import dataclass
from typing import Self, TypeAlias

from sensor_client.ota.update_state import UpdateState
from shared.bundle import Bundle
from shared.wire import Assignment, AssignmentOutcome


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How patient the device is.

    Args:
        trust_attempts: tries in quick succession at a bundle that does not verify, before it is put off.
        put_off_seconds: how long it is put off then, and after each later try.
        proofs_needed: proofs that end a trial; 0 puts no bundle on trial.
        refusals_limit: refused frames that end a trial in a roll-back.
        crashes_limit: starts in a row that may bring no frame during a trial.
        rejected_limit: digests of failed bundles to remember.
        probing_seconds: of uptime after a switch, in which the bundle before may make probes.
    """

    trust_attempts: int = 3
    put_off_seconds: float = 3600.0
    proofs_needed: int = 3
    refusals_limit: int = 3
    crashes_limit: int = 3
    rejected_limit: int = 16
    probing_seconds: float = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """What the rules need to know of a bundle; `digest` is the SHA-256 of its bytes, in hex."""

    target: str
    digest: str
    counter: int
    min_counter: int

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """The facts of `bundle`."""
        digest = hashlib.sha256(bundle.to_bytes()).hexdigest()
        return cls(target=bundle.target_path, digest=digest, counter=bundle.counter, min_counter=bundle.min_counter)


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """An assignment whose bundle did not verify, `times` in a row.

    `put_off_at` is when it was put off for a while, in seconds since 1970; None where it is to be tried again soon.
    """

    seq: int
    times: int
    put_off_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """All that decides what happens next.

    Args:
        kept: the part that outlives a restart.
        active: the bundle in use.
        other: the bundle in the slot that is not in use.
        fetching: the assignment whose bundle is being fetched.
        etag: of the last assignment that the server told.
        has_refused: whether the last refusal was made since the program started; it may be a later version by now.
    """

    kept: UpdateState
    active: BundleFacts | None
    other: BundleFacts | None
    fetching: Assignment | None = None
    doubt: Doubt | None = None
    etag: str | None = None
    has_refused: bool = False


@dataclass(frozen=True)
class Started:
    """The program began; `floor_counter` is what the verified metadata on disk says, 0 where there is none."""

    floor_counter: int = 0


@dataclass(frozen=True)
class Resumed:
    """A fault (of the disk, of the program) left an event half carried out; the state was read from disk again."""


@dataclass(frozen=True)
class Stopped:
    """The program ends in order."""


@dataclass(frozen=True)
class FloorSeen:
    """Verified targets metadata name `floor_counter`, the oldest counter of the family that is still safe."""

    floor_counter: int


@dataclass(frozen=True)
class Assigned:
    """The server named the bundle for this device."""

    assignment: Assignment
    etag: str | None


@dataclass(frozen=True)
class Verified:
    """The assignment's bundle is signed, meant for this device and passes its self-test.

    `floor_counter` is what the verified targets metadata name, as in FloorSeen.
    """

    assignment: Assignment
    bundle: BundleFacts
    floor_counter: int = 0


@dataclass(frozen=True)
class Unverified:
    """The assignment's bundle does not verify; it may do so later."""

    assignment: Assignment
    code: str
    reason: str


@dataclass(frozen=True)
class Unfit:
    """The assignment's bundle is genuine and must not be run here."""

    assignment: Assignment
    code: str
    reason: str


@dataclass(frozen=True)
class Encoded:
    """A picture became a frame with the bundle `target`."""

    target: str


@dataclass(frozen=True)
class Proved:
    """Frames that were encoded with the bundle `target` were answered by that bundle's own classifier."""

    target: str
    frames: int = 1


@dataclass(frozen=True)
class Refused:
    """Frames that were encoded with the bundle `target` were refused for good, by a server that named them."""

    target: str
    frames: int = 1


@dataclass(frozen=True)
class Failed:
    """The bundle `target` does not work here."""

    target: str
    reason: str


@dataclass(frozen=True)
class Told:
    """The server knows of these outcomes."""

    outcomes: tuple[AssignmentOutcome, ...]


@dataclass(frozen=True)
class Ran:
    """The program ran for so long since this was told last."""

    seconds: float


Evidence: TypeAlias = Encoded | Proved | Refused | Failed
Found: TypeAlias = Verified | Unverified | Unfit
Event: TypeAlias = Started | Resumed | Stopped | FloorSeen | Assigned | Found | Evidence | Told | Ran


@dataclass(frozen=True)
class Fetch:
    """Download, verify and test the assignment's bundle; tell by Verified, Unverified or Unfit."""

    assignment: Assignment
    floor_counter: int


@dataclass(frozen=True)
class Install:
    """Write the verified bundle to the slot that is not in use, and switch to that slot."""


@dataclass(frozen=True)
class RollBack:
    """Switch to the slot that is not in use."""


@dataclass(frozen=True)
class Save:
    """Make the new state's `kept` durable."""


@dataclass(frozen=True)
class Activate:
    """Hand the bundle in use to the camera's side."""


@dataclass(frozen=True)
class Postpone:
    """Ask again soon."""

    reason: str


Action: TypeAlias = Fetch | Install | RollBack | Save | Activate | Postpone
