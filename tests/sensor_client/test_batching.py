"""Which frames share a batch: those of one bundle with one prefix, until it is large enough."""

from collections.abc import Callable

import numpy as np
import pytest

from sensor_client.batching import batch_of, leading_run
from sensor_client.spool import Spool, SpooledFrame
from shared.jpeg import Encoder, Sampling, Stream, TableSet
from shared.wire import Batch, Kind, ProblemCode
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.uploading import OTHER_TABLES, Drained, MakeUploader, Witness, fill, jpeg


def test_a_batch_delivers_the_same_frames_in_fewer_requests(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 10)

    drained(batch=4)

    assert plane.frames == {sequence: jpeg(sequence - 1) for sequence in range(1, 11)}
    batches = [Batch.from_bytes(request.body) for request in plane.asked("/v1/frames:batch")]
    assert [len(batch.items) for batch in batches] == [4, 4, 2]
    assert batches[0].items[0].captured_at_ms == 1000


def test_only_frames_with_the_same_prefix_share_a_batch(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 3)
    fill(spool, 3, OTHER_TABLES)

    drained(batch=4)

    sizes = [len(Batch.from_bytes(request.body).items) for request in plane.asked("/v1/frames:batch")]
    assert sizes == [3, 3]
    assert plane.frames[4] == jpeg(0, OTHER_TABLES)


def test_interchange_frames_can_share_a_batch_too(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    for seed in range(3):
        spool.append(jpeg(seed, stream=Stream.INTERCHANGE), 0)

    drained(batch=4)

    assert plane.frames[3] == jpeg(2, stream=Stream.INTERCHANGE)
    assert len(plane.requests) == 1


def test_large_frames_make_small_batches(spool: Spool, plane: DevicePlane, make: MakeUploader) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    body = Encoder(TableSet.standard(95)).encode(noise, Stream.INTERCHANGE)
    for _ in range(6):
        spool.append(body, 0)

    assert make(batch=64, linger_seconds=5.0).step()

    [request] = plane.requests
    sent = len(Batch.from_bytes(request.body).items)
    assert (sent - 1) * len(body) < 1024 * 1024 <= sent * len(body)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda body: b"",
    "zeroed": lambda body: bytes(len(body)),
    "cut in its head": lambda body: body[:30],
    "cut in its scan": lambda body: body[:-20],
    "without its first marker": lambda body: body[2:],
    "noise": lambda body: np.random.default_rng(5).bytes(len(body)),
}


@pytest.mark.parametrize("place", [1, 2, 4])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_frame_in_the_spool_is_refused_by_name_and_the_others_go_on_in_batches(
    spool: Spool, plane: DevicePlane, drained: Drained, damage: str, place: int
) -> None:
    fill(spool, 4)
    body = DAMAGES[damage](spool.oldest(4)[place - 1].body)
    spool.replace_body(place, body)
    plane.judge = lambda sequence, sent: ProblemCode.CORRUPT_JPEG if sent == body else None

    drained(batch=4)

    assert sorted(plane.receipts) == [number for number in range(1, 5) if number != place]
    assert [(letter.sequence, letter.body) for letter in spool.dead_letters()] == [(place, body)]
    assert (spool.counters().acknowledged, spool.counters().refused) == (3, 1)


@pytest.mark.parametrize("batch", [1, 8])
def test_bundles_that_share_tables_share_no_proofs(
    spool: Spool, plane: DevicePlane, drained: Drained, witness: Witness, batch: int
) -> None:
    fill(spool, 2)
    fill(spool, 3, target="digits/1.json")
    fill(spool, 1, target="digits/2.json")

    drained(batch=batch)

    assert witness.proofs == {"digits/1.json": 3, "digits/2.json": 1}
    assert len(plane.frames) == 6


def test_grey_frames_travel_like_any_other(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    tables = TableSet.standard(50, Sampling.GREY)
    spool.keep_tables(tables.tables_id, tables.to_stream())
    body = Encoder(tables).encode(np.full((16, 16), 77, np.uint8))
    for _ in range(2):
        spool.append(body, 0, tables_id=tables.tables_id)

    drained(batch=2)

    assert plane.frames == {1: body, 2: body}


def test_companions_of_different_kinds_share_no_batch() -> None:
    probe, detail = (
        SpooledFrame(sequence, 0, None, "signs/1.json", jpeg(sequence, stream=Stream.INTERCHANGE), None, 1, kind)
        for sequence, kind in ((2, Kind.PROBE), (3, Kind.DETAIL))
    )
    assert leading_run([probe, detail]) == [probe]
    assert batch_of(leading_run([detail, probe])).kind is Kind.DETAIL
