"""Which pictures are encoded a second time, with which tables. Pure.

While two versions of the tables lie on a device, one picture in PERIOD_FRAMES is encoded with both: the server then
compares them on the same pictures. The second frame is a probe, a companion of the first.
"""

import hashlib

from shared.bundle import Bundle

PERIOD_FRAMES = 200


def is_pair(bundle: Bundle, other: Bundle) -> bool:
    """Whether two bundles are versions of each other that make frames of the same prepared picture."""
    return bundle.target_path != other.target_path and (bundle.family, bundle.input, bundle.fit) == (
        other.family,
        other.input,
        other.fit,
    )


def is_chosen(device_id: str, sequence: int) -> bool:
    """Whether the frame with this number gets a probe.

    By a hash: devices are not in step, whatever repeats itself in front of a camera, and a restart changes nothing.
    """
    digest = hashlib.sha256(f"{device_id}.{sequence}".encode()).digest()
    return int.from_bytes(digest[:8]) % PERIOD_FRAMES == 0
