"""Damaged bundles: each ends in a bundle with exactly these bytes, or in the documented error."""

import json
import os
from random import Random
from typing import Any

import pytest

from shared.bundle import Bundle, BundleError
from tests.vectors.bundle_vectors import FOLDER, bundles

RUNS = int(os.environ.get("DCTWIRE_FUZZ_RUNS", "4000")) // 4
GOLDEN = {name: (FOLDER / name).read_bytes() for name in bundles()}
ODD_VALUES = (None, True, -1, 2**70, 0.5, "", "AAAA", "=" * 256, "\u00e4", [], {}, [{}] * 9)


def is_read(data: bytes) -> bool:
    """Whether a receiver takes these bytes; anything but a bundle or a BundleError is a fault of ours."""
    try:
        bundle = Bundle.from_bytes(data)
    except BundleError:
        return False
    assert bundle.to_bytes() == data
    bundle.encoding.encoder()
    return True


def with_bytes_changed(data: bytes, random: Random) -> bytes:
    """A few bytes replaced, dropped or repeated."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(damaged))
        damaged[place : place + random.randint(0, 2)] = random.choice((b"", b"A", b"/", b'"', b"\xff", b"0", b"9"))
    return bytes(damaged)


def with_a_value_changed(data: bytes, random: Random) -> bytes:
    """Canonical JSON, one value somewhere in it replaced or removed."""
    fields: dict[str, Any] = json.loads(data)
    part = random.choice([fields, *(value for value in fields.values() if isinstance(value, dict))])
    name = random.choice(sorted(part))
    part[name] = random.choice(ODD_VALUES)
    if random.random() < 0.1:
        del part[name]
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("damage", [with_bytes_changed, with_a_value_changed])
def test_damaged_bundles_end_in_a_bundle_or_the_documented_error(name, damage):
    read = sum(is_read(damage(GOLDEN[name], Random(seed))) for seed in range(RUNS))
    assert 0 < read < RUNS // 2


def test_the_undamaged_ones_are_read():
    assert all(is_read(data) for data in GOLDEN.values())
