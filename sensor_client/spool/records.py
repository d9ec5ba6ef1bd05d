"""What the spool holds and counts."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeAlias

from shared.wire import Kind


class Priority(IntEnum):
    """How much a frame is wanted: the highest is sent first and dropped last. The numbers stand in files."""

    ORDINARY = 0
    CHANGE = 1
    RARE = 2
    REQUESTED = 3


class DropReason(StrEnum):
    """Why a frame was dropped that the server has not answered for."""

    QUOTA = "quota"
    AGE = "age"
    DAMAGE = "damage"  # of the spool's file


Drops: TypeAlias = dict[tuple[DropReason, Priority], int]


@dataclass(frozen=True, kw_only=True)
class SpoolLimits:
    """Quotas of a spool, and the rule of what goes first.

    Whatever is too old goes, oldest first. Over `frames` or `frame_bytes`, all companions go first, then the oldest
    frames of the lowest priority: never one of a higher priority while one of a lower waits. A frame that is larger
    than `frame_bytes` goes itself. All frames that go are counted by reason and priority, and logged.

    Args:
        frame_bytes: sum of the bodies of the frames waiting, companions among them.
        frames: number of frames waiting, companions among them.
        age_seconds: for how long a frame waits, in seconds in which the program ran, whatever the clock said; None: for
            as long as there is room.
        dead_letters: refused frames kept to be looked at; the oldest go first.
        dead_letter_bytes: sum of their bodies.
        unreadable: names kept of pictures that could not be read; those met longest ago go first.
    """

    frame_bytes: int = 256 * 1024 * 1024
    frames: int = 1_000_000
    age_seconds: float | None = None
    dead_letters: int = 200
    dead_letter_bytes: int = 16 * 1024 * 1024
    unreadable: int = 200

    def __post_init__(self) -> None:
        if (
            min(self.frame_bytes, self.frames) < 1
            or min(self.dead_letters, self.dead_letter_bytes, self.unreadable) < 0
        ):
            raise ValueError("a spool holds at least one frame of one byte")
        if self.age_seconds is not None and self.age_seconds <= 0:
            raise ValueError("a frame may wait for a while at least")


@dataclass(frozen=True)
class SpooledFrame:
    """One frame that waits for its upload.

    Args:
        sequence: the device's own number of the frame, never given twice while the server has what it acknowledged.
        captured_at_ms: wall clock, UTC.
        tables_id: the tables an abbreviated body needs; None for an interchange body, which has its own.
        body: the JPEG.
        target: the bundle that it was encoded with; None where a program stored it that did not say.
        label: what the frame shows, where the source knows and the server is to be told.
        companion_of: a companion's: the number of the frame that it belongs to. None: it is no companion.
        kind: what it is sent for.
        priority: how much it is wanted.
    """

    sequence: int
    captured_at_ms: int
    tables_id: str | None
    target: str | None
    body: bytes
    label: str | None
    companion_of: int | None = None
    kind: Kind = Kind.FRAME
    priority: Priority = Priority.ORDINARY


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A companion to be: a frame's picture with the tables of another bundle, or a finer look at a part of it.

    Args:
        body: the JPEG.
        target: the bundle that it was encoded with.
        tables: the id of an abbreviated body's tables, and their stream; None for an interchange body.
    """

    body: bytes
    target: str
    tables: tuple[str, bytes] | None
    kind: Kind = Kind.PROBE


@dataclass(frozen=True)
class PendingLabel:
    """The label of a frame that the server has acknowledged, still to be told."""

    sequence: int
    label: str


@dataclass(frozen=True)
class DeadLetter:
    """A frame the server refused for good, and why."""

    sequence: int
    captured_at_ms: int
    status: int
    code: str
    detail: str
    body: bytes


@dataclass(frozen=True)
class UnreadablePicture:
    """A picture that was set aside, and what is wrong with it; `times` counts how often it was met."""

    name: str
    reason: str
    times: int
    last_at_ms: int


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What happened since the state directory was made; survives restarts.

    Always: captured = encoded + unreadable + unchanged, and
    encoded + retried = acknowledged + refused + dropped + waiting: a dead letter that is sent again counts as retried.
    Where only a share of the pictures is wanted, passed_over counts the others, which nobody looked at. Of the frames,
    transcoded ones were made of a JPEG's coefficients, and untranscodable ones of a JPEG's pixels, since the codec
    refused its stream.
    A frame dropped while its upload was under way counts as dropped, although the server may have it. A frame counts as
    renumbered each time that it gets another number, and so does a companion, which counts nowhere else as a frame.
    Companions of every kind count as probes: probes_encoded = probes_sent + probes_dropped + probes waiting.
    `rescues` counts how often the spool was found damaged.
    """

    captured: int = 0
    unreadable: int = 0
    unchanged: int = 0
    passed_over: int = 0
    transcoded: int = 0
    untranscodable: int = 0
    encoded: int = 0
    encoded_bytes: int = 0
    acknowledged: int = 0
    acknowledged_bytes: int = 0
    refused: int = 0
    retried: int = 0
    dropped: int = 0
    renumbered: int = 0
    labels_sent: int = 0
    labels_refused: int = 0
    probes_encoded: int = 0
    probes_sent: int = 0
    probes_dropped: int = 0
    rescues: int = 0


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What waits in the spool now; probes are companions, and counted beside the frames."""

    frames: int
    frame_bytes: int
    labels: int
    dead_letters: int
    probes: int
