"""What the spool holds and counts."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpoolLimits:
    """Quotas of a spool. Over either of the first two, the oldest frames are dropped, counted and logged.

    Args:
        frame_bytes: sum of the bodies of the frames waiting.
        frames: number of frames waiting.
        dead_letters: refused frames kept to be looked at; the oldest go first.
        unreadable: names kept of pictures that could not be read; those met longest ago go first.
    """

    frame_bytes: int = 256 * 1024 * 1024
    frames: int = 1_000_000
    dead_letters: int = 200
    unreadable: int = 200

    def __post_init__(self) -> None:
        if min(self.frame_bytes, self.frames) < 1 or min(self.dead_letters, self.unreadable) < 0:
            raise ValueError("a spool holds at least one frame of one byte")


@dataclass(frozen=True)
class SpooledFrame:
    """One frame that waits for its upload.

    Args:
        sequence: the device's own number of the frame, never given twice.
        captured_at_ms: wall clock, UTC.
        tables_id: the tables an abbreviated body needs; None for an interchange body, which has its own.
        body: the JPEG.
        label: what the frame shows, where the source knows and the server is to be told.
    """

    sequence: int
    captured_at_ms: int
    tables_id: str | None
    body: bytes
    label: str | None


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

    Always: captured = encoded + unreadable, and encoded = acknowledged + refused + dropped + frames waiting.
    A frame dropped while its upload was under way counts as dropped, although the server may have it. A frame counts as
    renumbered each time that it gets another number.
    """

    captured: int = 0
    unreadable: int = 0
    encoded: int = 0
    encoded_bytes: int = 0
    acknowledged: int = 0
    acknowledged_bytes: int = 0
    refused: int = 0
    dropped: int = 0
    renumbered: int = 0
    labels_sent: int = 0
    labels_refused: int = 0


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What waits in the spool now."""

    frames: int
    frame_bytes: int
    labels: int
    dead_letters: int
