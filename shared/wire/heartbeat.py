"""What devices tell of themselves: heartbeats, and the events of an assignment on its way."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.wire.messages import Message
from shared.wire.sequences import SEQUENCE_MAX

REASON_MAX_CHARACTERS = 500
LINE_MAX_CHARACTERS = 200
LISTED_MAX = 32
"""How many schemas, and how many features, a heartbeat names at most."""
HEARTBEAT_MAX_BYTES = 8 << 10
COUNT_MAX = 2**53 - 1
"""The largest number in these messages but a sequence: what every JSON reader has exactly (RFC 8259 6)."""

Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Seconds = Annotated[float, Field(ge=0, le=COUNT_MAX, allow_inf_nan=False)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Target = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}/[1-9][0-9]{0,9}\.json$")]
"""A bundle as the targets metadata names it: `<family>/<counter>.json`."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
UtcTime = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
"""As TUF's metadata have it: `2026-11-29T07:15:00Z`."""


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


Reason = Annotated[str, Field(max_length=REASON_MAX_CHARACTERS), AfterValidator(_one_line)]
"""Words for people, in one line: what is not printable becomes a space."""
Line = Annotated[str, Field(max_length=LINE_MAX_CHARACTERS), AfterValidator(_one_line)]
"""The same, shorter."""


class EventKind(StrEnum):
    """What becomes of the bundle of an assignment on a device."""

    TRIAL = "trial"  # it is in use, and has to prove itself
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled-back"
    REJECTED = "rejected"  # it never was in use


class AssignmentEvent(Message):
    """What `POST /v1/assignments/{seq}/events` tells. The same again changes nothing.

    Args:
        code: why, as a word; for the causes that a program can tell apart.
        reason: why, for people.
    """

    event: EventKind
    target: Target
    code: Code | None = None
    reason: Reason | None = None


class AssignmentOutcome(AssignmentEvent):
    """The last event of a device, and the assignment that it belongs to."""

    seq: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]


class ActiveTables(Message):
    """The bundle in use, and the id of its tables."""

    target: Target
    tables: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class Trial(Message):
    """A bundle that must prove itself: how many proofs it has, and how often the program began with it."""

    target: Target
    proofs: Count
    boots: Count


class SpoolState(Message):
    """Frames that wait on the device, their bytes, and how many were dropped since the device was enrolled."""

    frames: Count
    bytes: Count
    dropped: Count


class SettingsState(Message):
    """Settings from afar on a device.

    Args:
        named: the target path of those that the server names; None where it names none.
        in_effect: the number of those that the device follows, as far as its own configuration lets it; None: of none.
        code: why those that are named are not in effect, as a word.
        reason: the same for people.
    """

    named: Annotated[str, StringConstraints(max_length=128, pattern=r"^[!-~]+$")] | None = None
    in_effect: Count | None = None
    code: Code | None = None
    reason: Reason | None = None


class SpentState(Message):
    """Bytes at the socket, both ways, in the hour, day or month under way, and their limit where there is one."""

    bytes: Count
    limit: Count | None = None


class TrafficState(Message):
    """Bytes at the socket since the device was enrolled, and what the periods under way have of them, by name."""

    sent: Count
    received: Count
    spent: Annotated[dict[Code, SpentState], Field(default_factory=dict, max_length=LISTED_MAX)]


class SourceState(Message):
    """How the camera does: since when (seconds of its clock), its last fault, and what is odd about its pictures."""

    condition: Code
    since_seconds: Seconds
    pictures: Count
    losses: Count
    fault: Line | None = None
    stillness: Code | None = None


class BoardState(Message):
    """The board: its warmest sensor, room on the disk of the state directory, and the program's memory (RSS)."""

    temperature_celsius: Annotated[float, Field(ge=-273, le=1000, allow_inf_nan=False)] | None = None
    free_disk_bytes: Count | None = None
    memory_bytes: Count | None = None


class Fault(Message):
    """The last thing that went wrong: the event's name, one line of why, and how long ago it was."""

    code: Code
    reason: Line | None = None
    ago_seconds: Seconds


class DeviceCondition(Message):
    """How a device does, for whoever looks after it; what it does not know is left out.

    Args:
        oldest_frame_seconds: for how long the frame to be sent next has waited, by the device's clock.
        dropped: frames dropped since the device was enrolled, by reason.
        restarts: of parts of the program since it started, by name.
        troubles: what is wrong now, each by a word.
    """

    oldest_frame_seconds: Seconds | None = None
    dropped: Annotated[dict[Code, Count], Field(default_factory=dict, max_length=LISTED_MAX)]
    traffic: TrafficState | None = None
    source: SourceState | None = None
    board: BoardState | None = None
    last_fault: Fault | None = None
    restarts: Annotated[dict[Code, Count], Field(default_factory=dict, max_length=LISTED_MAX)]
    troubles: Annotated[list[Code], Field(default_factory=list, max_length=LISTED_MAX)]


class TrustState(Message):
    """The TUF metadata that a device trusts."""

    root_version: Version
    targets_version: Count
    signed_at: UtcTime | None = None
    is_stale: bool


class Heartbeat(Message):
    """What `POST /v1/heartbeat` tells: the state of a device, whole each time.

    Args:
        program: the version of the program.
        boot: random, made at each start of the program: two that alternate come from two devices with one identity.
        boots: how often the program began.
        uptime_seconds: since this start.
        schemas: of bundles, as the device can read them.
        features: of bundles, as its encoder can do them.
        encode_seconds_median: of the last frames; None before the first.
        highest_sequence: the highest number that the device gave to a frame; None before the first.
        time_floor: before this time it is certainly not.
        settings: from afar; None where none are named and none are in effect.
        condition: how the device does.
    """

    program: Word
    boot: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    boots: Count
    uptime_seconds: Seconds
    schemas: Annotated[list[Version], Field(max_length=LISTED_MAX)]
    features: Annotated[list[Word], Field(max_length=LISTED_MAX)]
    active: ActiveTables | None = None
    trial: Trial | None = None
    outcome: AssignmentOutcome | None = None
    encode_seconds_median: Seconds | None = None
    highest_sequence: Annotated[int, Field(ge=0, le=SEQUENCE_MAX)] | None = None
    spool: SpoolState
    tuf: TrustState | None = None
    time_floor: UtcTime | None = None
    settings: SettingsState | None = None
    condition: DeviceCondition | None = None
