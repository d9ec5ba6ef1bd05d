"""Spool to server."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from PIL import Image

from sensor_client.device_channel import DeviceChannel
from sensor_client.errors import UnauthorisedError
from sensor_client.signals import Signals
from sensor_client.spool import Spool, SpoolLimits
from sensor_client.uploader import Uploader, UploadSettings
from shared.errors import ChannelError
from shared.jpeg import Decoder, Encoder, Sampling, Stream, TableSet, inspect
from shared.wire import Batch, ProblemCode
from tests.sensor_client.device_plane import Answer, DevicePlane, problem
from tests.sensor_client.fakes import FakeClock

TABLES = TableSet.standard(50)
OTHER_TABLES = TableSet.standard(80)
ENCODERS = {tables.tables_id: Encoder(tables) for tables in (TABLES, OTHER_TABLES)}


def jpeg(seed: int, tables: TableSet = TABLES, stream: Stream = Stream.ABBREVIATED) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))
    return ENCODERS[tables.tables_id].encode(pixels, stream)


def fill(spool: Spool, count: int, tables: TableSet = TABLES, label: str | None = None) -> list[int]:
    spool.keep_tables(tables.tables_id, tables.to_stream())
    return [
        spool.append(jpeg(seed, tables), 1000 + seed, tables_id=tables.tables_id, label=label) for seed in range(count)
    ]


class MakeUploader(Protocol):
    def __call__(self, other_spool: Spool | None = None, **settings: Any) -> Uploader: ...


class Drained(Protocol):
    def __call__(self, **settings: Any) -> None: ...


@pytest.fixture
def make(spool: Spool, channel: DeviceChannel, clock: FakeClock, signals: Signals) -> MakeUploader:
    def make(other_spool: Spool | None = None, **settings: Any) -> Uploader:
        return Uploader(
            spool=other_spool or spool,
            channel=channel,
            clock=clock,
            random=lambda: 0.5,
            signals=signals,
            settings=UploadSettings(**settings),
        )

    return make


@pytest.fixture
def drained(signals: Signals, make: MakeUploader) -> Drained:
    """Run an uploader until everything is delivered."""

    def drained(**settings: Any) -> None:
        signals.end_source()
        make(ends_when_drained=True, **settings).run()

    return drained


def test_frames_are_delivered_byte_for_byte_in_order(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 5)

    drained()

    assert plane.frames == {sequence: jpeg(sequence - 1) for sequence in range(1, 6)}
    assert plane.receipts == [1, 2, 3, 4, 5]
    assert spool.depth().frames == 0 and spool.counters().acknowledged == 5


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


def test_an_incomplete_batch_waits_for_more_frames_but_not_for_ever(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock
) -> None:
    uploader = make(batch=4, linger_seconds=5.0)
    fill(spool, 3)

    assert not uploader.step() and plane.requests == []
    clock.elapsed_seconds += 4.9
    assert not uploader.step()
    clock.elapsed_seconds += 0.2
    assert uploader.step()

    assert len(plane.frames) == 3


@pytest.mark.parametrize("batch", [1, 4])
def test_a_device_that_counts_from_the_start_again_goes_on_above_what_it_had_sent(
    spool: Spool, plane: DevicePlane, drained: Drained, batch: int
) -> None:
    old = dict.fromkeys(range(1, 41), b"of an earlier life")
    plane.frames.update(old)
    plane.refuse_taken_numbers()
    fill(spool, 10, label="A")

    drained(batch=batch)

    assert plane.frames == old | {sequence: jpeg(sequence - 41) for sequence in range(41, 51)}
    assert set(plane.labels) == set(range(41, 51))
    assert spool.counters().renumbered == 10
    assert spool.counters().acknowledged == 10
    assert len(plane.asked("/v1/frames")) + len(plane.asked("/v1/frames:batch")) <= 11


def test_frames_of_a_batch_that_were_taken_keep_their_number_and_the_others_get_new_ones(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    plane.frames.update({2: b"of an earlier life", 9: b"another"})
    plane.refuse_taken_numbers()
    fill(spool, 4)

    drained(batch=4)

    assert {number: body for number, body in plane.frames.items() if number not in (2, 9)} == {
        1: jpeg(0),
        3: jpeg(2),
        4: jpeg(3),
        10: jpeg(1),
    }


def test_a_server_that_takes_no_number_is_asked_again_ever_more_slowly_and_no_frame_is_lost(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    plane.frames[100] = b"of an earlier life"
    plane.judge = lambda _sequence, _body: ProblemCode.SEQUENCE_TAKEN
    fill(spool, 3)
    uploader = make(batch=3)

    uploader.step()
    for _ in range(3):
        with pytest.raises(ChannelError, match="taken, too"):
            uploader.step()

    assert [frame.body for frame in spool.oldest(9)] == [jpeg(0), jpeg(1), jpeg(2)]


def test_a_server_that_names_the_end_of_all_numbers_is_not_followed(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    plane.frames[2**63 - 2] = b"of an earlier life"
    plane.judge = lambda _sequence, _body: ProblemCode.SEQUENCE_TAKEN
    fill(spool, 2)

    with pytest.raises(ChannelError, match="goes on counting"):
        make().step()

    assert [frame.sequence for frame in spool.oldest(9)] == [1, 2]


def test_a_complete_batch_waits_for_nothing(spool: Spool, plane: DevicePlane, make: MakeUploader) -> None:
    uploader = make(batch=4, linger_seconds=5.0)
    fill(spool, 3)
    assert not uploader.step()
    fill(spool, 1)

    assert uploader.step()

    assert len(plane.frames) == 4


def test_large_frames_make_small_batches(spool: Spool, plane: DevicePlane, make: MakeUploader) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (512, 1024, 3), dtype=np.uint8)
    body = Encoder(TableSet.standard(95)).encode(noise, Stream.INTERCHANGE)
    for _ in range(6):
        spool.append(body, 0)

    assert make(batch=64, linger_seconds=5.0).step()

    [request] = plane.requests
    sent = len(Batch.from_bytes(request.body).items)
    assert (sent - 1) * len(body) < 1024 * 1024 <= sent * len(body)


def test_an_idle_uploader_sleeps_until_the_lingering_batch_is_due(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals
) -> None:
    fill(spool, 2)
    clock.on_wait = lambda seconds: signals.request_stop() if plane.frames else None

    make(batch=4, linger_seconds=5.0).run()

    assert clock.waits[0] == 5.0 and len(plane.frames) == 2


def test_a_server_that_is_down_and_comes_up_again_gets_everything(
    spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock
) -> None:
    fill(spool, 4)
    plane.stop()
    clock.on_wait = lambda seconds: plane.start() if len(clock.waits) == 3 else None

    drained()

    assert plane.receipts == [1, 2, 3, 4]
    assert clock.waits == [0.25, 0.5, 1.0]


def test_retry_after_is_honoured(spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock) -> None:
    fill(spool, 1)
    plane.scripted.append(("/v1/frames", problem(ProblemCode.QUEUE_FULL, Retry_After="30")))

    drained()

    assert clock.waits == [30.25] and plane.receipts == [1]


def test_a_success_ends_the_backing_off(spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock) -> None:
    fill(spool, 2)
    busy = ("/v1/frames", problem(ProblemCode.NOT_READY))
    plane.scripted += [busy, busy, ("/v1/frames", Answer(204)), busy]

    drained()

    assert clock.waits == [0.25, 0.5, 0.25]


def test_a_refused_frame_becomes_a_dead_letter_and_the_next_one_goes_on(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 3)
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence == 2 else None

    drained()

    assert plane.receipts == [1, 3]
    assert [(letter.sequence, letter.code) for letter in spool.dead_letters()] == [(2, "corrupt-jpeg")]


def test_a_bad_frame_of_a_batch_fails_alone(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 5)
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence == 2 else None

    drained(batch=5)

    assert plane.receipts == [1, 3, 4, 5]
    assert [letter.sequence for letter in spool.dead_letters()] == [2]


def test_a_frame_of_a_batch_that_is_to_be_sent_again_is_and_the_others_are_not(
    spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock
) -> None:
    fill(spool, 3)
    verdicts = {2: [ProblemCode.TIMED_OUT]}
    plane.judge = lambda sequence, body: verdicts.get(sequence, [None]).pop() if verdicts.get(sequence) else None

    drained(batch=3)

    assert plane.receipts == [1, 3, 2]
    assert clock.waits == [0.25]


def test_a_batch_refused_as_a_whole_is_taken_apart(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 4)
    plane.scripted.append(("/v1/frames:batch", problem(ProblemCode.TOO_LARGE)))
    plane.judge = lambda sequence, body: ProblemCode.OVER_LIMIT if sequence == 3 else None

    drained(batch=4)

    assert plane.receipts == [1, 2, 4]
    assert [letter.code for letter in spool.dead_letters()] == ["over-limit"]


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


def test_a_batch_refused_for_its_tables_is_not_sent_once_more_without_them(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 3)
    plane.scripted.append(("/v1/frames:batch", problem(ProblemCode.UNKNOWN_TABLES)))

    drained(batch=3)

    assert [request.path for request in plane.requests] == ["/v1/frames:batch"] * 2
    assert all(inspect(body).stream is Stream.INTERCHANGE for body in plane.frames.values())


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


def test_a_token_that_is_not_valid_ends_the_uploader_and_keeps_the_frames(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    fill(spool, 3)
    plane.scripted.append(("/v1/frames", problem(ProblemCode.INVALID_TOKEN)))

    with pytest.raises(UnauthorisedError):
        make().run()

    assert spool.depth().frames == 3 and len(plane.requests) == 1


def test_a_lost_reply_brings_the_frame_again_under_the_same_number(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 2)
    plane.after_frame = cut_the_first_reply(plane)

    drained()

    assert plane.receipts == [1, 1, 2]
    assert spool.counters().acknowledged == 2


def cut_the_first_reply(plane: DevicePlane) -> Callable[[int], None]:
    cuts: list[int] = []

    def after_frame(sequence: int) -> None:
        if not cuts:
            cuts.append(sequence)
            plane.cut_connections()

    return after_frame


def test_labels_are_told_after_their_frames_are_acknowledged(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 2, label="stop")

    drained()

    assert [request.path.rpartition("/")[2] for request in plane.requests] == ["frames", "label", "frames", "label"]
    assert plane.labels == {1: {"label": "stop", "source": "audit"}, 2: {"label": "stop", "source": "audit"}}
    assert spool.counters().labels_sent == 2


def test_a_label_survives_a_broken_line_and_a_restart(
    tmp_path: Path,
    spool: Spool,
    plane: DevicePlane,
    channel: DeviceChannel,
    clock: FakeClock,
    signals: Signals,
    make: MakeUploader,
) -> None:
    fill(spool, 1, label="stop")
    make().step()
    plane.scripted.append(("/v1/frames/dev1.1/label", problem(ProblemCode.NOT_READY)))
    with pytest.raises(ChannelError):
        make().step()
    spool.close()

    again = Spool(tmp_path / "spool.sqlite3", SpoolLimits())
    assert again.depth().labels == 1
    signals.end_source()
    make(again, ends_when_drained=True).run()

    assert plane.labels[1]["label"] == "stop"
    again.close()


def test_labels_told_before_a_line_broke_are_not_told_again(
    spool: Spool, plane: DevicePlane, make: MakeUploader, drained: Drained
) -> None:
    sequences = fill(spool, 3, label="stop")
    spool.acknowledge(sequences)
    plane.frames = dict.fromkeys(sequences, b"")
    plane.scripted.append(("/v1/frames/dev1.2/label", problem(ProblemCode.NOT_READY)))
    with pytest.raises(ChannelError):
        make().step()

    drained()

    assert len(plane.asked("/v1/frames/dev1.1/label")) == 1
    assert sorted(plane.labels) == sequences and spool.counters().labels_sent == 3


def test_a_refused_label_is_counted_and_not_told_again(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 1, label="stop")
    plane.scripted.append(("/v1/frames/dev1.1/label", problem(ProblemCode.BAD_REQUEST)))

    drained()

    assert (spool.counters().labels_sent, spool.counters().labels_refused) == (0, 1)


def test_the_last_frames_are_not_forgotten_when_the_source_ends_meanwhile(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals
) -> None:
    def last_frames(seconds: float) -> None:
        if not signals.source_ended.is_set():
            fill(spool, 2)
            signals.end_source()

    clock.on_wait = last_frames

    make(ends_when_drained=True).run()

    assert plane.receipts == [1, 2]


def test_a_stop_leaves_the_rest_in_the_spool(
    spool: Spool, plane: DevicePlane, make: MakeUploader, signals: Signals
) -> None:
    fill(spool, 5)
    plane.after_frame = lambda sequence: signals.request_stop() if sequence == 2 else None

    make().run()

    assert [frame.sequence for frame in spool.oldest(9)] == [3, 4, 5]


def test_http_costs_few_bytes_a_frame(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    """Bytes of the request beside the scan: what the wire carries for one frame, posted alone and in sixteens."""
    fill(spool, 17)
    scans = [inspect(frame.body).scan_bytes for frame in spool.oldest(17)]

    drained(batch=16)

    batch, single = plane.requests
    assert single.head_bytes + len(single.body) - scans[16] < 260
    assert (batch.head_bytes + len(batch.body) - sum(scans[:16])) / 16 < 24


def test_grey_frames_travel_like_any_other(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    tables = TableSet.standard(50, Sampling.GREY)
    spool.keep_tables(tables.tables_id, tables.to_stream())
    body = Encoder(tables).encode(np.full((16, 16), 77, np.uint8))
    for _ in range(2):
        spool.append(body, 0, tables_id=tables.tables_id)

    drained(batch=2)

    assert plane.frames == {1: body, 2: body}


def test_a_disk_that_is_full_when_a_frame_is_answered_ends_nothing_and_the_frame_counts_once(
    spool: Spool, plane: DevicePlane, clock: FakeClock, drained: Drained
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    spool.append(Encoder(TABLES).encode(noise, Stream.INTERCHANGE), 1)  # a dead letter of it takes new pages
    fill(spool, 2)
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence == 1 else None
    with spool._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    refused_while_full = []

    def make_room_later(seconds: float) -> None:
        refused_while_full.append(spool.counters().refused)
        if len(refused_while_full) == 3:
            with spool._database.reading() as connection:
                connection.execute("PRAGMA max_page_count = 100000")

    clock.on_wait = make_room_later
    drained()

    assert refused_while_full == [0, 0, 0]
    assert (spool.counters().refused, spool.counters().acknowledged, spool.depth().dead_letters) == (1, 2, 1)
    assert clock.waits == [0.25, 0.5, 1.0]
