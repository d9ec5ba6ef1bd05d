"""Spool to server."""

from collections.abc import Callable

import numpy as np
import pytest

from sensor_client.backoff import RETRIES_AT_ONCE, SPENT_FLOOR_SECONDS
from sensor_client.held_back import ATTEMPTS
from sensor_client.signals import Signals
from sensor_client.spool import Spool
from shared.errors import ChannelError
from shared.jpeg import Encoder, Stream, inspect
from shared.wire import ProblemCode
from tests.sensor_client.device_plane import Answer, DevicePlane, Request, problem
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.uploading import OTHER_TABLES, PAGE_413, TABLES, Drained, MakeUploader, Witness, fill, jpeg


def test_frames_are_delivered_byte_for_byte_in_order(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 5)

    drained()

    assert plane.frames == {sequence: jpeg(sequence - 1) for sequence in range(1, 6)}
    assert plane.receipts == [1, 2, 3, 4, 5]
    assert spool.depth().frames == 0 and spool.counters().acknowledged == 5


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


def test_a_complete_batch_waits_for_nothing(spool: Spool, plane: DevicePlane, make: MakeUploader) -> None:
    uploader = make(batch=4, linger_seconds=5.0)
    fill(spool, 3)
    assert not uploader.step()
    fill(spool, 1)

    assert uploader.step()

    assert len(plane.frames) == 4


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
    plane.scripted += [busy, busy, ("/v1/frames", Answer(204, {"DW-Answered": "dev1.1 exact"})), busy]

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


def test_a_batch_too_large_for_a_proxy_is_taken_apart(spool: Spool, plane: DevicePlane, drained: Drained) -> None:
    fill(spool, 4)
    plane.scripted.append(("/v1/frames:batch", Answer(413, {"Content-Type": "text/html"}, b"<h1>Too large</h1>")))

    drained(batch=4)

    assert plane.receipts == [1, 2, 3, 4] and spool.dead_letters() == []


@pytest.mark.parametrize("status", [400, 413, 431])
def test_a_frame_that_something_on_the_way_refuses_stays(
    spool: Spool, plane: DevicePlane, make: MakeUploader, status: int
) -> None:
    fill(spool, 1)
    plane.scripted.append(("/v1/frames", Answer(status, {"Content-Type": "text/html"}, b"<h1>No</h1>")))

    with pytest.raises(ChannelError):
        make().step()

    assert spool.depth().frames == 1 and spool.dead_letters() == []


@pytest.mark.parametrize("code", [ProblemCode.UNKNOWN_TABLES, ProblemCode.CORRUPT_JPEG])
def test_a_batch_refused_as_a_whole_changes_no_frame(
    spool: Spool, plane: DevicePlane, drained: Drained, code: ProblemCode
) -> None:
    fill(spool, 3)
    bodies = [frame.body for frame in spool.oldest(3)]
    plane.scripted.append(("/v1/frames:batch", problem(code)))

    drained(batch=3)

    assert [request.path for request in plane.requests] == ["/v1/frames:batch"] + ["/v1/frames"] * 3
    assert list(plane.frames.values()) == bodies and spool.dead_letters() == []


def test_a_batch_refused_as_a_whole_for_a_number_renumbers_nothing(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 3)
    plane.scripted.append(("/v1/frames:batch", problem(ProblemCode.SEQUENCE_TAKEN, highest_sequence=41)))

    drained(batch=3)

    assert plane.receipts == [1, 2, 3]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_frame_too_large_for_a_proxy_lets_those_behind_it_go_and_is_tried_again(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals, batch: int
) -> None:
    fill(spool, 5)
    large = spool.oldest(2)[1].body
    taken = plane.handle
    is_widened = False

    def proxied(request: Request) -> Answer:
        is_too_large = len(request.body) > 3000 or large in request.body or b"DWB1" in request.body[:4]
        return PAGE_413 if is_too_large and not is_widened and request.path.startswith("/v1/frames") else taken(request)

    plane.handle = proxied  # type: ignore[method-assign]
    signals.end_source()
    uploader = make(batch=batch)
    for _ in range(20):
        try:
            uploader.step()
        except ChannelError:
            continue
    assert plane.receipts == [1, 3, 4, 5]
    assert [frame.sequence for frame in spool.oldest(9)] == [2] and spool.dead_letters() == []
    is_widened = True
    assert not uploader.step()
    clock.wait(signals.stop, 3600.0)
    assert uploader.step() and plane.receipts == [1, 3, 4, 5, 2]


def test_frames_that_are_all_too_large_for_a_proxy_are_each_sent_once_an_hour(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals
) -> None:
    fill(spool, 4)
    plane.handle = lambda request: plane.requests.append(request) or PAGE_413  # type: ignore[method-assign,func-returns-value]
    clock.on_wait = lambda seconds: signals.request_stop() if clock.monotonic_seconds() > 3 * 3600 else None

    make().run()

    posts = len(plane.asked("/v1/frames"))
    assert 4 * 3 <= posts <= 4 * 4 and spool.depth().frames == 4


def test_a_token_that_is_not_valid_costs_nothing_once_it_is_again(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 3)
    plane.scripted += [("/v1/frames", problem(ProblemCode.INVALID_TOKEN))] * 5

    drained()

    assert plane.receipts == [1, 2, 3] and spool.dead_letters() == []


@pytest.mark.parametrize("batch", [1, 4])
def test_exact_answers_are_proofs_of_the_bundle_and_others_are_none(
    spool: Spool, plane: DevicePlane, drained: Drained, witness: Witness, batch: int
) -> None:
    fill(spool, 4, target="digits/1.json")
    drained(batch=batch)
    plane.match = "fallback"
    fill(spool, 4, OTHER_TABLES, target="digits/2.json")
    drained(batch=batch)

    assert witness.proofs == {"digits/1.json": 4} and witness.refusals == {}


@pytest.mark.parametrize("batch", [1, 8])
def test_interchange_frames_prove_their_bundle_too(
    spool: Spool, plane: DevicePlane, drained: Drained, witness: Witness, batch: int
) -> None:
    for seed in range(3):
        spool.append(jpeg(seed, stream=Stream.INTERCHANGE), 0, target="digits/1.json")

    drained(batch=batch)

    assert witness.proofs == {"digits/1.json": 3}


@pytest.mark.parametrize("batch", [1, 4])
def test_refusals_for_good_are_told_of_the_bundle(
    spool: Spool, plane: DevicePlane, drained: Drained, witness: Witness, batch: int
) -> None:
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence > 1 else None
    fill(spool, 4, target="digits/1.json")

    drained(batch=batch)

    assert (witness.proofs, witness.refusals) == ({"digits/1.json": 1}, {"digits/1.json": 3})


PORTALS = {
    "204": Answer(204),
    "200 with a page": Answer(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
    "200 without a body": Answer(200),
    "a redirect": Answer(302, {"Location": "http://portal.example/login"}),
    "511": Answer(511, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
    "204 to another frame": Answer(204, {"DW-Answered": "dev1.9 exact"}),
    "204 to another device": Answer(204, {"DW-Answered": "dev2.1 exact"}),
    "204 to a batch of others": Answer(204, {"DW-Answered": "dev1.1-9 exact=2"}),
    "204 to a batch of more": Answer(204, {"DW-Answered": "dev1.1-2 exact=3"}),
    "204 twice": Answer(204, {"DW-Answered": "dev1.1 exact, dev1.2 exact"}),
    "a header that is none": Answer(204, {"DW-Answered": "\xb2\xb3"}),
    "204 and refused": Answer(204, {"DW-Answered": "dev1.1 refused"}),
}


@pytest.mark.parametrize("code", [code for code in ProblemCode if code.status != 401])
def test_no_frame_leaves_or_changes_on_a_problem_that_does_not_name_it(
    spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock, witness: Witness, code: ProblemCode
) -> None:
    sent = fill(spool, 2)
    kept = spool.oldest(2)
    waiting: list[object] = []
    clock.on_wait = lambda seconds: waiting.append(spool.oldest(2))
    plane.scripted += [("/v1/frames", problem(code, highest_sequence=41))] * 3

    drained()

    assert waiting == [kept] * 3 and plane.receipts == sent
    assert spool.dead_letters() == [] and witness.refusals == {}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("case", PORTALS)
def test_no_frame_leaves_on_an_answer_that_does_not_name_it(
    spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock, case: str, batch: int
) -> None:
    fill(spool, 2)
    waiting: list[int] = []
    clock.on_wait = lambda seconds: waiting.append(spool.depth().frames)
    path = "/v1/frames" if batch == 1 else "/v1/frames:batch"
    plane.scripted += [(path, PORTALS[case])] * 3

    drained(batch=batch)

    assert waiting == [2, 2, 2] and plane.receipts == [1, 2]
    assert spool.counters().acknowledged == 2 and spool.dead_letters() == []


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
    assert single.head_bytes + len(single.body) - scans[16] < 234
    assert (batch.head_bytes + len(batch.body) - sum(scans[:16])) / 16 < 17.5


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


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("code", [ProblemCode.TIMED_OUT, ProblemCode.CLASSIFIER_OVERDUE])
def test_a_frame_that_is_always_answered_504_or_500_holds_no_other_up_and_is_tried_again(
    spool: Spool,
    plane: DevicePlane,
    make: MakeUploader,
    clock: FakeClock,
    signals: Signals,
    code: ProblemCode,
    batch: int,
) -> None:
    fill(spool, 12)
    tries: list[float] = []
    clock.on_wait = lambda seconds: signals.request_stop() if clock.elapsed_seconds > 9 * 3600 else None

    def judge(sequence: int, body: bytes) -> ProblemCode | None:
        if sequence != 2:
            return None
        tries.append(clock.elapsed_seconds)
        return code

    plane.judge = judge
    make(batch=batch, linger_seconds=0.0).run()

    assert sorted(plane.receipts) == [1, *range(3, 13)]
    assert [frame.sequence for frame in spool.oldest(9)] == [2] and spool.dead_letters() == []
    assert tries[ATTEMPTS - 1] - tries[0] < 10.0
    assert ATTEMPTS + 9 <= len(tries) <= 9 * 60 + ATTEMPTS


def test_a_frame_over_which_the_server_breaks_is_soon_alone_and_the_others_of_its_batch_go(
    spool: Spool, plane: DevicePlane, make: MakeUploader, clock: FakeClock, signals: Signals
) -> None:
    fill(spool, 16)
    poison = spool.oldest(6)[5].body
    scan = poison[-2 - inspect(poison).scan_bytes : -2]
    take = plane.handle

    def handle(request: Request) -> Answer:
        if scan in request.body:
            plane.requests.append(request)
            return Answer(502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")
        return take(request)

    plane.handle = handle  # type: ignore[method-assign]
    clock.on_wait = lambda seconds: signals.request_stop() if len(plane.frames) == 15 else None
    make(batch=16).run()

    assert sorted(plane.receipts) == [number for number in range(1, 17) if number != 6]
    assert [frame.sequence for frame in spool.oldest(9)] == [6] and spool.dead_letters() == []
    assert clock.elapsed_seconds < 1000.0 + 120.0


def test_a_server_that_fails_every_other_request_is_not_asked_faster_for_it(
    spool: Spool, plane: DevicePlane, drained: Drained, clock: FakeClock
) -> None:
    fill(spool, 60)
    take = plane.handle
    failures: list[float] = []

    def handle(request: Request) -> Answer:
        if len(failures) <= len(plane.receipts) and request.path == "/v1/frames":
            failures.append(clock.elapsed_seconds)
            return Answer(500, {"Content-Type": "text/html"}, b"<h1>Oops</h1>")
        return take(request)

    plane.handle = handle  # type: ignore[method-assign]
    drained()

    assert plane.receipts == list(range(1, 61))
    assert sum(wait >= SPENT_FLOOR_SECONDS for wait in clock.waits) >= 60 - RETRIES_AT_ONCE - 10


def test_one_connection_carries_many_requests_alone_and_in_batches(
    spool: Spool, plane: DevicePlane, drained: Drained
) -> None:
    fill(spool, 40)

    drained(batch=4)

    assert (plane.connections, len(plane.requests)) == (1, 10)
