"""Which pictures are taken where only a share of them is wanted. Pure."""

import hashlib


def is_sampled(device_id: str, captured_at_ms: int, share: float) -> bool:
    """Whether the picture of this moment is among the share, 0 to 1, that is taken.

    By a hash of device and moment: no state to lose, devices are not in step, and nothing that repeats itself in front
    of a camera is hit or missed each time. A larger share takes every picture that a smaller one takes.
    """
    digest = hashlib.sha256(f"{device_id}.{captured_at_ms}".encode()).digest()
    return int.from_bytes(digest[:7]) < share * 2**56
