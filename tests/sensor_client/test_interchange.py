"""Frames whose tables the server does not know get them back, once."""

import io

import numpy as np
import pytest
from PIL import Image

from sensor_client.spool import Spool
from shared.jpeg import Decoder, Stream, inspect
from shared.wire import ProblemCode
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.uploading import TABLES, Drained, fill, jpeg


def unknown_to_the_server(sequence: int, body: bytes) -> ProblemCode | None:
    return ProblemCode.UNKNOWN_TABLES if inspect(body).stream is Stream.ABBREVIATED else None


@pytest.mark.parametrize("batch", [1, 3])
def test_tables_the_server_does_not_know_are_put_back_under_the_same_number(
    spool: Spool, plane: DevicePlane, drained: Drained, batch: int
) -> None:
    fill(spool, 3)
    plane.judge = unknown_to_the_server

    drained(batch=batch)

    assert sorted(plane.receipts) == [1, 2, 3]
    assert spool.dead_letters() == [] and spool.counters().acknowledged == 3
    for sequence, body in plane.frames.items():
        Image.open(io.BytesIO(body)).load()
        sent, kept = Decoder().decode(body), Decoder(TABLES).decode(jpeg(sequence - 1))
        assert all(np.array_equal(a, b) for a, b in zip(sent.planes, kept.planes, strict=True))


def test_an_interchange_frame_refused_for_its_tables_goes_round_no_circle(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    spool.append(jpeg(0, stream=Stream.INTERCHANGE), 0)
    plane.judge = lambda sequence, body: ProblemCode.UNKNOWN_TABLES

    drained()

    assert len(plane.requests) == 1
    assert [letter.code for letter in spool.dead_letters()] == ["unknown-tables"]


def test_a_damaged_frame_whose_tables_cannot_be_put_back_becomes_a_dead_letter(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    spool.keep_tables(TABLES.tables_id, TABLES.to_stream())
    spool.append(jpeg(0)[:60] + b"\xff\xd9", 0, tables_id=TABLES.tables_id)
    plane.judge = lambda sequence, body: ProblemCode.UNKNOWN_TABLES

    drained()

    assert [letter.code for letter in spool.dead_letters()] == ["unknown-tables"]
