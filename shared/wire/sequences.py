"""The numbers of frames: which there are, and which of them a server takes of a device."""

SEQUENCE_MAX = 2**63 - 1
"""The highest number that a frame can have."""
SEQUENCE_ALWAYS_MAX = 2**42
"""Numbers up to this one are never too high: no device counts so far, not even one that began at 2^41."""
SEQUENCE_STEP_MAX = 2**20
"""How far a higher number may be above all that the server has of the device."""


def is_too_high(sequence: int, highest_sequence: int) -> bool:
    """Whether a number is refused by a server whose highest one of the device is `highest_sequence` (-1: none).

    Above every number that was taken there are as many free ones, whoever drove them up and whatever any clock says;
    and whoever does has to post a frame for each step.
    """
    return sequence > max(SEQUENCE_ALWAYS_MAX, highest_sequence + SEQUENCE_STEP_MAX)
