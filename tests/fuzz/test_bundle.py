"""Damaged descriptions of every kind: each ends in one with exactly these bytes, or the documented error."""

import json
import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from shared.bundle import Bundle, BundleError, Fallback, Golden, Reference
from tests.shared.bundle.test_fallback import FALLBACK, FALLBACK_1
from tests.shared.bundle.test_golden import GOLDEN
from tests.shared.bundle.test_reference import REFERENCE
from tests.vectors.bundle_vectors import FOLDER, bundles

RUNS = int(os.environ.get("DCTWIRE_FUZZ_RUNS", "4000")) // 4
Kind = Bundle | Fallback | Golden | Reference
WHOLE: dict[str, tuple[type[Kind], bytes]] = {name: (Bundle, (FOLDER / name).read_bytes()) for name in bundles()} | {
    "fallback.json": (Fallback, FALLBACK.to_bytes()),
    "fallback-schema-1.json": (Fallback, FALLBACK_1.to_bytes()),
    "golden.json": (Golden, GOLDEN.to_bytes()),
    "reference.json": (Reference, REFERENCE.to_bytes()),
}
ODD_VALUES: tuple[Any, ...] = (None, True, -1, 2**70, 0.5, "", "AAAA", "=" * 256, "\u00e4", [], {}, [{}] * 9)


def is_read(kind: type[Kind], data: bytes) -> bool:
    """Whether a receiver takes these bytes; anything but a value or a BundleError is a fault of ours."""
    try:
        value = kind.from_bytes(data)
    except BundleError:
        return False
    assert value.to_bytes() == data
    if isinstance(value, Bundle) and value.lapping is None:
        value.encoding.encoder()
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
    fields = json.loads(data)
    part = random.choice(list(parts(fields)))
    place = random.choice(sorted(part) if isinstance(part, dict) else range(len(part)))
    part[place] = random.choice(ODD_VALUES)
    if random.random() < 0.1:
        del part[place]
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def parts(value: Any) -> Iterator[Any]:
    """Every object and list in it."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from parts(inner)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("damage", [with_bytes_changed, with_a_value_changed])
def test_damaged_bytes_end_in_a_value_or_the_documented_error(name: str, damage: Callable[..., bytes]) -> None:
    kind, whole = WHOLE[name]
    read = sum(is_read(kind, damage(whole, Random(seed))) for seed in range(RUNS))
    assert 0 < read < RUNS // 2


def test_the_undamaged_ones_are_read() -> None:
    assert all(is_read(kind, data) for kind, data in WHOLE.values())
