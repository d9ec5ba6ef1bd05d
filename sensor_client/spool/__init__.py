"""The spool: frames on disk, between camera and server."""

from sensor_client.spool.database import NoSpoolError, NotTooFarError, NumbersExhaustedError, SpoolError, SpoolFullError
from sensor_client.spool.numbers import first_sequence_of
from sensor_client.spool.records import (
    Counters,
    DeadLetter,
    Depth,
    DropReason,
    Drops,
    PendingLabel,
    Priority,
    Probe,
    SpooledFrame,
    SpoolLimits,
    UnreadablePicture,
)
from sensor_client.spool.spool import Spool

__all__ = [
    "Counters",
    "DeadLetter",
    "Depth",
    "DropReason",
    "Drops",
    "NoSpoolError",
    "NotTooFarError",
    "NumbersExhaustedError",
    "PendingLabel",
    "Priority",
    "Probe",
    "Spool",
    "SpoolError",
    "SpoolFullError",
    "SpoolLimits",
    "SpooledFrame",
    "UnreadablePicture",
    "first_sequence_of",
]
