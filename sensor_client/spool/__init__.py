"""The spool: frames on disk, between camera and server."""

from sensor_client.spool.database import NumbersExhaustedError, SpoolError, SpoolFullError
from sensor_client.spool.records import (
    Counters,
    DeadLetter,
    Depth,
    PendingLabel,
    SpooledFrame,
    SpoolLimits,
    UnreadablePicture,
)
from sensor_client.spool.spool import Spool, first_sequence_of

__all__ = [
    "Counters",
    "DeadLetter",
    "Depth",
    "NumbersExhaustedError",
    "PendingLabel",
    "Spool",
    "SpoolError",
    "SpoolFullError",
    "SpoolLimits",
    "SpooledFrame",
    "UnreadablePicture",
    "first_sequence_of",
]
