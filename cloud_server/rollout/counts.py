"""What a rollout has counted: a row a device, under the old bundle, under the new one, and of pictures sent as both."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """What devices sent under one of the two bundles; every array has the shape (devices,).

    Args:
        frames: that were answered.
        bytes: of these frames, as they were sent.
        fallback: of these frames, those that a fallback answered.
        refused: frames that were refused, beside those that were answered.
        labelled: frames of which a label is known.
        correct: of these, those that were answered with that label.
        encode_seconds: what encoding a frame takes the device; NaN where it is unknown.

    Raises:
        ValueError: an array has another shape or type, a count is negative, or a part is more than its whole.
    """

    frames: Whole
    bytes: Whole
    fallback: Whole
    refused: Whole
    labelled: Whole
    correct: Whole
    encode_seconds: Real

    def __post_init__(self) -> None:
        _check(_arrays(self), {"fallback": "frames", "correct": "labelled"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Pictures that devices sent twice, encoded as each of the two bundles says; every array has the shape (devices,).

    Args:
        pairs: pictures that were answered both times.
        differing: of these, those with two different answers.
        labelled: of these pictures, those of which a label is known.
        only_old_right, only_new_right: of the labelled, those that one bundle alone had right.

    Raises:
        ValueError: an array has another shape or type, a count is negative, or a part is more than its whole.
    """

    pairs: Whole
    differing: Whole
    only_old_right: Whole
    only_new_right: Whole
    labelled: Whole

    def __post_init__(self) -> None:
        one_right = {"only_old_right": "labelled", "only_new_right": "labelled"}
        _check(_arrays(self), {"differing": "pairs", "labelled": "pairs", **one_right})
        if (self.only_old_right + self.only_new_right > self.labelled).any():
            raise ValueError("a device has more pairs that one bundle alone had right than labelled pairs")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """All that gates judge by; row i of every array is the same device.

    Raises:
        ValueError: the parts are not of equally many devices.
    """

    old: Arm
    new: Arm
    pairs: Pairs

    def __post_init__(self) -> None:
        rows = {
            "the old arm": self.old.frames.size,
            "the new arm": self.new.frames.size,
            "pairs": self.pairs.pairs.size,
        }
        if len({*rows.values()}) > 1:
            raise ValueError("; ".join(f"{part} has {devices} devices" for part, devices in rows.items()))


def _arrays(part: Arm | Pairs) -> dict[str, Whole | Real]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _check(arrays: Mapping[str, Whole | Real], wholes: Mapping[str, str]) -> None:
    """Check shapes, types and signs, and that no part is more than its whole.

    Args:
        wholes: by the name of a part, that of its whole.
    """
    devices = next(iter(arrays.values())).size
    for name, array in arrays.items():
        expected = np.float64 if name == "encode_seconds" else np.int64
        if array.dtype != expected or array.shape != (devices,):
            raise ValueError(f"{name} is {array.dtype} {array.shape}, not {np.dtype(expected)} ({devices},)")
        if (array < 0).any() or np.isinf(array).any():
            raise ValueError(f"{name} holds a number below 0, or no finite one")
    for part, whole in wholes.items():
        if (arrays[part] > arrays[whole]).any():
            raise ValueError(f"a device has more {part} than {whole}")
