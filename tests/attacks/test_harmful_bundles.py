"""Bundles that the right keys signed and that do harm: a signature does not make a camera run what cannot work."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from harness.fault_proxy import FaultProxy
from shared.bundle import Bundle
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field, stories
from tests.attacks.forger import Forger
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables

DHT = b"\xff\xc4"


def fields_of(bundle: Bundle) -> dict[str, Any]:
    """A bundle's JSON, to be changed."""
    fields: dict[str, Any] = json.loads(bundle.to_bytes())
    return fields


def with_stream(bundle: Bundle, stream: bytes) -> bytes:
    """The bundle with another tables-only stream."""
    fields = fields_of(bundle) | {"tables": base64.b64encode(stream).decode()}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def lacking_symbols(bundle: Bundle) -> bytes:
    """A Huffman table whose last symbols are there no more: the encoder cannot write some pictures."""
    stream = bundle.tables.to_stream()
    at = stream.rindex(DHT)
    length = int.from_bytes(stream[at + 2 : at + 4])
    counts = bytearray(stream[at + 5 : at + 21])
    last = max(index for index in range(16) if counts[index])
    removed = counts[last]
    counts[last] = 0
    symbols = stream[at + 21 : at + 2 + length - removed]
    short = DHT + (length - removed).to_bytes(2) + stream[at + 4 : at + 5] + bytes(counts) + symbols
    return with_stream(bundle, stream[:at] + short + stream[at + 2 + length :])


def with_a_code_of_ones(bundle: Bundle) -> bytes:
    """A Huffman table with a code of nothing but ones, which T.81 C.2 forbids."""
    stream = bytearray(bundle.tables.to_stream())
    at = stream.index(DHT)
    stream[at + 5] = 2
    return with_stream(bundle, bytes(stream))


def with_steps_of_zero(bundle: Bundle) -> bytes:
    """Quantisation steps of zero."""
    stream = bundle.tables.to_stream()
    at = stream.index(b"\xff\xdb")
    return with_stream(bundle, stream[: at + 5] + bytes(64) + stream[at + 69 :])


def with_another_selftest(bundle: Bundle) -> bytes:
    """A self-test that no encoder passes."""
    fields = fields_of(bundle)
    fields["selftest"]["sha256"] = "0" * 64
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def larger_than_any(bundle: Bundle) -> bytes:
    """More bytes than a bundle has."""
    return bundle.to_bytes() + b" " * 5000


def of_a_later_schema(bundle: Bundle) -> bytes:
    """A schema that this camera does not know."""
    return json.dumps(fields_of(bundle) | {"schema": 99}).encode()


def no_bundle(bundle: Bundle) -> bytes:
    """Deep JSON."""
    return b"[" * 4000


HARMFUL = {
    "a Huffman table that lacks symbols": lacking_symbols,
    "a Huffman code of ones": with_a_code_of_ones,
    "quantisation steps of zero": with_steps_of_zero,
    "a self-test that fails": with_another_selftest,
    "more bytes than any": larger_than_any,
    "a later schema": of_a_later_schema,
    "no bundle at all": no_bundle,
}


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that runs version 1; version 2 is published."""
    camera = field.camera(tmp_path, field.family(50, 30), line)
    camera.shoot(1)
    return camera


@pytest.mark.parametrize("harmful", stories(HARMFUL, "a Huffman table that lacks symbols"))
def test_a_signed_bundle_cannot_work(
    field: Field, line: FaultProxy, camera: Camera, tmp_path: Path, harmful: str
) -> None:
    """A trainer's machine was broken into, and a bundle that cannot work is signed by the right keys and assigned.

    The camera refuses it, says why, loses no frame, and runs the next good one.
    """
    family = str(camera.status.family)
    forger = Forger(field, line, family)
    bundle = write_bundle(tmp_path / "theirs", family, 3, tables(90), seed=3)
    forger.answer_with(forger.chain_with(bundle, HARMFUL[harmful](bundle)).signed(forger.keys))
    forger.assign(bundle.target_path)
    with camera.running() as program:
        program.wait_for(lambda: camera.status.bundles_refused > 0, PATIENCE_SECONDS, "refusal")
        assert camera.status.active_bundle == f"{family}/1"
        refused = camera.status.last_refused
        assert refused is not None
        assert (refused.target, bool(refused.reason)) == (bundle.target_path, True)
        forger.stop()
        field.publish(family, 4, 20)
        field.publish(family, 5, 40)
        field.harness.assign(family, 5)
        program.wait_for(lambda: "v5" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 5")
    camera.shoot(1)
    field.require_nothing_lost(camera)


def test_signed_tables_are_all_ones(field: Field, line: FaultProxy, camera: Camera, tmp_path: Path) -> None:
    """Who has the targets key signs tables of nothing but ones, so that the camera's frames cost all of its bandwidth.

    The server knows no such tables: they prove nothing, no frame is lost, and what is truly assigned takes over.
    """
    family = str(camera.status.family)
    forger = Forger(field, line, family)
    bomb = write_bundle(tmp_path / "bomb", family, 3, tables(100), seed=3)
    forger.answer_with(forger.chain_with(bomb).signed(forger.keys))
    forger.assign(bomb.target_path)
    with camera.running() as program:
        during = lambda: "tables-put-back" in [event["event"] for event in camera.events]  # noqa: E731
        program.wait_for(during, PATIENCE_SECONDS, "frames that the server does not understand")
        forger.stop()
        field.publish(family, 4, 20)
        field.publish(family, 5, 40)
        field.harness.assign(family, 5)
        program.wait_for(lambda: "v5" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 5")
    camera.shoot(1)
    field.require_nothing_lost(camera)
