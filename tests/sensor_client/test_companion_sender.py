"""Probes to server: after their frames, in batches of their own, and never in the way of frames."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from sensor_client.companion_sender import LINGER_SECONDS, CompanionSender
from sensor_client.device_channel import DeviceChannel
from sensor_client.errors import NumberTakenError
from sensor_client.signals import Signals
from sensor_client.spool import Probe, Spool
from sensor_client.upload_orders import HeldUploadOrders, UploadOrders
from sensor_client.uploader import RENUMBERED_FLOOR_SECONDS
from shared.jpeg import Encoder, Stream, TableSet, inspect
from shared.wire import Batch, Kind, ProblemCode
from tests.sensor_client.device_plane import Answer, DevicePlane, Request, problem
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.uploading import PAGE_413, Drained, MakeUploader, Witness

NEW, OLD = TableSet.standard(80), TableSet.standard(50)
ENCODERS = {tables.tables_id: Encoder(tables) for tables in (NEW, OLD)}


def jpeg(seed: int, tables: TableSet, stream: Stream = Stream.ABBREVIATED) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return ENCODERS[tables.tables_id].encode(pixels, stream)


def fill(spool: Spool, count: int) -> None:
    """Frames with the new tables, each with a probe of the old ones: numbers 1 and 2, 3 and 4, and so on."""
    spool.keep_tables(NEW.tables_id, NEW.to_stream())
    for seed in range(count):
        probe = Probe(body=jpeg(seed, OLD), target="signs/1.json", tables=(OLD.tables_id, OLD.to_stream()))
        spool.append(jpeg(seed, NEW), 1000 + seed, tables_id=NEW.tables_id, target="signs/2.json", probe=probe)


def no_numbers(error: NumberTakenError) -> None:
    """Where no number is taken."""
    raise error


@pytest.fixture
def sender(
    spool: Spool, channel: DeviceChannel, clock: FakeClock, signals: Signals
) -> Callable[[int], CompanionSender]:
    """Makes what sends companions alone, in batches of so many; the frames' numbers are odd."""

    def sender(batch: int) -> CompanionSender:
        spool.acknowledge(frame.sequence for frame in spool.oldest(99))
        orders = HeldUploadOrders(UploadOrders(batch=batch))
        return CompanionSender(
            spool=spool, channel=channel, clock=clock, random=lambda: 0.5, signals=signals, orders=orders
        )

    return sender


def batches_of_probes(plane: DevicePlane) -> list[Batch]:
    batches = [Batch.from_bytes(request.body) for request in plane.asked("/v1/frames:batch")]
    return [batch for batch in batches if batch.kind is Kind.PROBE]


def fates(spool: Spool) -> tuple[int, int, int]:
    counters = spool.counters()
    return counters.probes_sent, counters.probes_dropped, spool.depth().probes


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_probes_arrive_byte_for_byte_each_after_its_frame_and_named_with_it(
    spool: Spool, plane: DevicePlane, drained: Drained, batch: int
) -> None:
    fill(spool, 3)

    drained(batch=batch)

    assert plane.frames == {number: jpeg(number // 2, NEW) for number in (1, 3, 5)}
    assert plane.companions == {number: (number - 1, jpeg(number // 2 - 1, OLD)) for number in (2, 4, 6)}
    assert all(plane.receipts.index(number) > plane.receipts.index(number - 1) for number in (2, 4, 6))
    assert fates(spool) == (3, 0, 0) and spool.counters().acknowledged == 3


def test_probes_break_no_batch_of_frames_and_share_one_of_their_own(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 6)

    drained(batch=6)

    batches = [Batch.from_bytes(request.body) for request in plane.asked("/v1/frames:batch")]
    assert [(batch.kind, len(batch.items)) for batch in batches] == [(Kind.FRAME, 6), (Kind.PROBE, 6)]


def test_a_single_probe_is_sent_as_a_batch_for_a_server_that_does_not_know_it_refuses_that(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 1)

    drained()

    assert len(plane.asked("/v1/frames")) == 1
    [probe] = batches_of_probes(plane)
    [frame_request], [probe_request] = plane.asked("/v1/frames"), plane.asked("/v1/frames:batch")
    headers = len("DW-Kind: probe\r\nDW-Companion-Of: 1\r\n")
    assert probe.items[0].of == 1
    assert probe_request.head_bytes + 10 < frame_request.head_bytes + headers


def test_a_whole_batch_of_probes_waits_for_nothing(spool: Spool, plane: DevicePlane, make: MakeUploader) -> None:
    fill(spool, 2)

    make(batch=2).step()

    assert plane.frames.keys() == {1, 3} and plane.companions.keys() == {2, 4}


def test_a_lonely_probe_is_sent_after_ten_minutes(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals
) -> None:
    fill(spool, 1)
    began = clock.elapsed_seconds
    clock.on_wait = lambda seconds: signals.request_stop() if plane.companions else None

    make(batch=2).run()

    assert plane.companions.keys() == {2}
    assert LINGER_SECONDS <= clock.elapsed_seconds - began <= LINGER_SECONDS + 90


def test_probes_that_others_of_other_tables_follow_wait_for_no_more_of_theirs(
    spool: Spool, plane: DevicePlane, sender: Callable[[int], CompanionSender]
) -> None:
    fill(spool, 2)
    probe = Probe(body=jpeg(9, NEW), target="signs/2.json", tables=(NEW.tables_id, NEW.to_stream()))
    spool.append(jpeg(9, NEW), 2000, tables_id=NEW.tables_id, target="signs/3.json", probe=probe)
    companions = sender(8)

    assert companions.step(no_numbers) and not companions.step(no_numbers)
    assert plane.companions.keys() == {2, 4} and companions.seconds_to_wait() == LINGER_SECONDS


def test_a_probe_waits_its_own_time_and_not_what_was_left_of_those_before(
    spool: Spool, plane: DevicePlane, clock: FakeClock, sender: Callable[[int], CompanionSender]
) -> None:
    fill(spool, 1)
    companions = sender(2)
    assert not companions.step(no_numbers)
    clock.elapsed_seconds += LINGER_SECONDS - 1
    fill(spool, 1)
    spool.acknowledge([3])
    assert companions.step(no_numbers) and plane.companions.keys() == {2, 4}
    fill(spool, 1)
    spool.acknowledge([5])

    assert not companions.step(no_numbers)
    assert companions.seconds_to_wait() == LINGER_SECONDS


def test_once_probes_are_taken_again_patience_begins_anew(
    spool: Spool, plane: DevicePlane, clock: FakeClock, sender: Callable[[int], CompanionSender]
) -> None:
    fill(spool, 2)
    companions = sender(1)
    plane.scripted += [("/v1/frames:batch", problem(ProblemCode.QUEUE_FULL))] * 5
    waits = []
    for _ in range(5):
        assert not companions.step(no_numbers)
        waits.append(companions.seconds_to_wait())
        clock.elapsed_seconds += waits[-1]
    assert companions.step(no_numbers)
    plane.scripted.append(("/v1/frames:batch", problem(ProblemCode.QUEUE_FULL)))

    assert not companions.step(no_numbers)
    assert companions.seconds_to_wait() == waits[0] < waits[-1]


@pytest.mark.parametrize("code", [ProblemCode.CORRUPT_JPEG, ProblemCode.OVER_LIMIT, ProblemCode.CLASSIFIER_FAULT])
def test_a_probe_that_is_refused_is_dropped_and_counted_and_speaks_against_no_bundle(
    spool: Spool, plane: DevicePlane, drained: Drained, witness: Witness, code: ProblemCode
) -> None:
    fill(spool, 3)
    plane.judge = lambda sequence, body: code if sequence == 4 else None

    drained(batch=3)

    assert plane.companions.keys() == {2, 6} and fates(spool) == (2, 1, 0)
    assert spool.dead_letters() == [] and spool.counters().refused == 0
    assert witness.refusals == {} and witness.proofs == {"signs/2.json": 3}


def test_probes_prove_no_bundle(spool: Spool, drained: Drained, witness: Witness) -> None:
    fill(spool, 4)
    drained(batch=2)
    assert witness.proofs == {"signs/2.json": 4}


def test_tables_that_the_server_wants_are_put_back_into_a_probe(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 2)
    plane.judge = lambda sequence, body: (
        ProblemCode.UNKNOWN_TABLES if inspect(body).tables_id == OLD.tables_id else None
    )

    drained(batch=2)

    assert plane.companions == {
        number: (number - 1, jpeg(number // 2 - 1, OLD, Stream.INTERCHANGE)) for number in (2, 4)
    }
    assert fates(spool) == (2, 0, 0)


def test_a_probe_to_be_sent_again_is_and_holds_no_frame_up(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals
) -> None:
    fill(spool, 3)
    plane.judge = lambda sequence, body: ProblemCode.QUEUE_FULL if inspect(body).tables_id == OLD.tables_id else None
    uploader = make()
    while spool.depth().frames:
        assert uploader.step()
    assert plane.receipts == [1, 3, 5] and clock.waits == []
    assert not uploader.step(), "what is put off is not asked for at once again"

    plane.judge = lambda sequence, body: None
    clock.on_wait = lambda seconds: signals.request_stop() if len(plane.companions) == 3 else None
    uploader.run()

    assert fates(spool) == (3, 0, 0)
    assert sum(clock.waits[:-1]) < 10


def test_who_ends_once_all_is_delivered_waits_for_probes_that_were_put_off(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 1)
    plane.scripted += [("/v1/frames:batch", problem(ProblemCode.QUEUE_FULL))] * 3

    drained()

    assert fates(spool) == (1, 0, 0)


def test_a_server_that_asks_for_patience_with_probes_alone_gets_its_frames_at_once(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock
) -> None:
    plane.scripted.append(("/v1/frames:batch", problem(ProblemCode.QUEUE_FULL, Retry_After="30")))
    uploader = make()
    fill(spool, 1)
    uploader.step()
    fill(spool, 2)

    assert uploader.step() and uploader.step()
    assert sorted(plane.frames) == [1, 3, 5] and len(plane.asked("/v1/frames:batch")) == 1
    clock.elapsed_seconds += 31
    while uploader.step():
        pass
    assert len(plane.companions) == 3


def test_probes_refused_as_a_whole_are_tried_one_by_one(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 3)
    taken = plane.handle

    def proxied(request: Request) -> Answer:
        is_too_large = request.path.endswith(":batch") and (
            len(request.body) > 500 or jpeg(1, OLD)[-12:-2] in request.body
        )
        return PAGE_413 if is_too_large and b"DWB2" in request.body[:4] else taken(request)

    plane.handle = proxied  # type: ignore[method-assign]

    drained(batch=3)

    assert plane.companions.keys() == {2, 6} and fates(spool) == (2, 1, 0)
    assert len(plane.frames) == 3


def test_a_damaged_probe_is_dropped_and_ends_nothing(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 3)
    spool.replace_body(2, b"noise")
    spool.replace_body(4, jpeg(1, OLD)[:-20])
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if len(body) < len(jpeg(1, OLD)) - 9 else None

    drained(batch=3)

    assert plane.companions.keys() == {6} and len(plane.frames) == 3
    assert spool.depth().probes == 0 and spool.dead_letters() == []


def test_a_server_from_before_probes_gets_none_and_this_is_said_once(
    spool: Spool,
    plane: DevicePlane,
    drained: Drained,
    signals: Signals,
    lines: list[Mapping[str, Any]],
) -> None:
    plane.knows_companions = False
    fill(spool, 3)

    drained()

    assert signals.probes_unwanted.is_set()
    assert sorted(plane.frames) == [1, 3, 5] and plane.companions == {}
    assert len(plane.asked("/v1/frames:batch")) == 1
    assert fates(spool) == (0, 3, 0) and spool.dead_letters() == []
    [said] = [line for line in lines if line["event"] == "probes-given-up"]
    assert said["log_level"] == "warning" and "invalid-batch" in said["reason"]


def test_an_answer_that_does_not_name_the_probes_takes_none_away(
    spool: Spool, plane: DevicePlane, make: MakeUploader
) -> None:
    fill(spool, 1)
    plane.scripted.append(("/v1/frames:batch", Answer(204, {"DW-Answered": "dev1.9-9 exact=1"})))

    make().step()

    assert fates(spool) == (0, 0, 1)


def test_a_device_that_counts_from_the_start_again_numbers_frames_and_probes_anew_and_they_stay_together(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    plane.frames.update(dict.fromkeys(range(1, 41), b"of an earlier life"))
    plane.judge_numbers()
    fill(spool, 3)

    drained()

    assert {number for number in plane.frames if number > 40} == {41, 43, 45}
    assert {number: of for number, (of, _) in plane.companions.items()} == {42: 41, 44: 43, 46: 45}


def test_a_probe_whose_number_is_taken_keeps_its_frame_that_the_server_has(
    spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock
) -> None:
    plane.frames[2] = b"of a thief"
    plane.judge_numbers()
    fill(spool, 1)

    drained()

    assert plane.companions == {3: (1, jpeg(0, OLD))} and plane.frames[1] == jpeg(0, NEW)
    assert sum(clock.waits) < RENUMBERED_FLOOR_SECONDS


def test_a_server_that_takes_no_number_of_probes_holds_no_frame_up(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock
) -> None:
    plane.judge = lambda sequence, body: (
        ProblemCode.SEQUENCE_TAKEN if inspect(body).tables_id == OLD.tables_id else None
    )
    uploader = make()
    for _ in range(5):
        fill(spool, 1)
        assert uploader.step()

    assert spool.depth().frames == 0 and spool.counters().acknowledged == 5 and clock.waits == []
    assert spool.counters().renumbered == 1


def test_a_lost_reply_brings_the_probe_again_under_the_same_number(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 1)
    cuts: list[int] = []

    def cut_once(sequence: int) -> None:
        if not cuts and sequence == 2:
            cuts.append(sequence)
            plane.cut_connections()

    plane.after_frame = cut_once

    drained()

    assert plane.receipts == [1, 2, 2] and fates(spool) == (1, 0, 0)
