"""Frames in, labels out: the two uploads, from the device's side."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from sqlalchemy import insert, select, update

from cloud_server.inference.frames import Frame, scan_digest
from cloud_server.storage.schema import devices, results
from shared.jpeg import Encoder, Sampling, Stream, TableSet, inspect
from shared.wire import (
    BATCH_MEDIA_TYPE,
    SEQUENCE_ALWAYS_MAX,
    SEQUENCE_MAX,
    SEQUENCE_STEP_MAX,
    Batch,
    BatchItem,
    BatchResults,
    Match,
    Retry,
)
from tests.cloud_server.harness.classifiers import LABELS, expected_label
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import Pixels, batch_with_scans, frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, gained
from tests.field import oddities
from tests.shared.jpeg import streams


def post_batch(device: Device, batch: Batch, **headers: str) -> object:
    """Upload a batch; the parsed answer, or None for 204."""
    answer = device.http.post(
        "/v1/frames:batch", content=batch.to_bytes(), headers={"content-type": BATCH_MEDIA_TYPE} | headers
    )
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.content else None


@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
@pytest.mark.parametrize(("quality", "model", "seed"), [(50, "digits/1", 1), (25, "digits/2", 2)])
def test_a_frame_is_answered_by_the_classifier_of_its_tables(
    device: Device, stream: Stream, quality: float, model: str, seed: int
) -> None:
    for number in range(8):
        answer = device.post(frame(tables(quality), number, stream))
        assert answer.status_code == 200
        result = answer.json()
        assert result["label"] == expected_label(seed, tables(quality), picture(number))
        assert (result["model"], result["match"]) == (model, "exact")
        assert result["id"] == f"{device.device_id}.{number}"
        assert 0 < result["confidence"] <= 1


def test_every_answer_to_a_device_carries_the_assignment(device: Device) -> None:
    seq = str(device.http.get("/v1/assignment").json()["seq"])
    assert device.post(frame(tables(50))).headers["dw-assignment"] == seq
    assert device.post(b"no jpeg").headers["dw-assignment"] == seq


def test_a_device_that_wants_no_answer_gets_204_which_names_its_frame_and_the_match(device: Device) -> None:
    answer = device.post(frame(tables(50)), 17, headers={"prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["dw-answered"] == f"{device.device_id}.17 exact"
    again = device.post(frame(tables(50)), 17, headers={"prefer": "return=minimal"})
    assert again.headers == answer.headers
    other = device.post(jpeg_of_other_tables(), 18, headers={"prefer": "return=minimal"})
    assert other.headers["dw-answered"] == f"{device.device_id}.18 {Match.FALLBACK}"


def jpeg_of_other_tables() -> bytes:
    """A frame whose steps no bundle has."""
    return frame(tables(61), 0, Stream.INTERCHANGE)


@pytest.mark.parametrize("prefer", [{"prefer": "return=minimal"}, {}], ids=["minimal", "whole"])
def test_every_refusal_of_a_frame_names_it(device: Device, prefer: dict[str, str]) -> None:
    device.post(frame(tables(50)), 5)
    stranger = Encoder(tables(33)).encode(picture(0), Stream.ABBREVIATED)
    refused = {
        415: device.post(b"no jpeg", 17, prefer),
        409: device.post(frame(tables(50), 1), 5, prefer),
        413: device.post(bytes(9 << 20), 18, prefer),
        422: device.post(stranger, 19, prefer),
        400: device.post(frame(tables(50)), 20, prefer, path="/v1/frames?top=none"),
    }
    named = {status: (answer.status_code, answer.headers["dw-answered"]) for status, answer in refused.items()}
    numbers = {415: 17, 409: 5, 413: 18, 422: 19, 400: 20}
    assert named == {status: (status, f"{device.device_id}.{number} refused") for status, number in numbers.items()}


def test_a_refusal_before_device_and_number_are_known_names_no_frame(harness: ServerHarness, device: Device) -> None:
    """And the next request on the same connection inherits no name from the one before."""
    assert "dw-answered" in device.post(b"no jpeg", 17).headers
    for headers in ({"authorization": "Bearer nobody"}, {"dw-sequence": "x"}, {"dw-sequence": ""}):
        answer = device.post(b"no jpeg", 17, headers)
        assert answer.status_code in (400, 401)
        assert "dw-answered" not in answer.headers
    assert "dw-answered" not in device.http.get("/v1/nowhere").headers


@pytest.mark.parametrize("prefer", [{"prefer": "return=minimal"}, {}], ids=["minimal", "whole"])
def test_every_answer_to_a_batch_names_its_ends_and_a_batch_refused_whole_names_none(
    device: Device, prefer: dict[str, str]
) -> None:
    headers = {"content-type": BATCH_MEDIA_TYPE} | prefer
    batch = batch_with_scans(50, range(3), first_sequence=10)
    answer = device.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers)
    assert answer.headers["dw-answered"] == f"{device.device_id}.10-12 exact=3"
    whole = device.http.post("/v1/frames:batch", content=b"no batch", headers=headers)
    assert whole.status_code == 422
    assert "dw-answered" not in whole.headers


def test_the_short_answer_to_a_batch_names_its_ends_and_counts_by_match(device: Device) -> None:
    whole = batch_with_scans(50, range(3), first_sequence=10)
    items = (*whole.items, BatchItem(99, 0, b""))
    for batch, counts in ((whole, ["10-12", "exact=3"]), (Batch(whole.prefix, items), ["10-99", "exact=3"])):
        for _ in range(2):  # the same again says the same again
            answer = device.http.post(
                "/v1/frames:batch",
                content=batch.to_bytes(),
                headers={"content-type": BATCH_MEDIA_TYPE, "prefer": "return=minimal"},
            )
            assert answer.headers["dw-answered"].removeprefix(f"{device.device_id}.").split() == counts
    none = Batch(whole.prefix, (BatchItem(100, 0, b""),))
    answer = device.http.post(
        "/v1/frames:batch",
        content=none.to_bytes(),
        headers={"content-type": BATCH_MEDIA_TYPE, "prefer": "return=minimal"},
    )
    assert answer.headers["dw-answered"] == f"{device.device_id}.100-100"


def test_a_frame_that_claims_other_tables_is_answered_by_what_it_carries(device: Device) -> None:
    """APP10 says quality 25, DQT says quality 50: the content wins."""
    claim = frame(tables(25), 3)[2:16]
    assert claim[:4] == b"\xff\xea\x00\x0c"
    honest = frame(tables(50), 3, Stream.INTERCHANGE)
    lying = honest[:2] + claim + honest[2:]
    assert device.post(lying).json()["model"] == "digits/1"


def test_a_frame_of_other_huffman_tables_keeps_its_classifier(device: Device) -> None:
    """An interchange frame with the same DQT and optimised Huffman tables has the same quant id."""
    standard = io.BytesIO(frame(tables(50), 5, Stream.INTERCHANGE))
    decoded = Image.open(standard)
    assert isinstance(decoded, JpegImageFile)
    optimised = io.BytesIO()
    decoded.save(optimised, "JPEG", qtables=decoded.quantization, subsampling=2, optimize=True)
    answer = device.post(optimised.getvalue()).json()
    assert (answer["model"], answer["match"]) == ("digits/1", "exact")


def test_a_frame_of_tables_nobody_was_trained_for_is_answered_by_the_assigned_classifier(
    harness: ServerHarness, device: Device
) -> None:
    before = harness.scrape()
    answer = device.post(frame(tables(80), 6, Stream.INTERCHANGE)).json()
    assert (answer["model"], answer["match"]) == ("digits/1", "fallback")
    counted = {"family": "digits", "tables": "interchange", "match": "fallback"}
    assert gained(harness, before, "dctwire_frames_total", **counted) == 1


def test_the_fallback_requantises_to_the_assigned_tables(device: Device) -> None:
    """At quality 100 nearly nothing is lost, so requantising gives what encoding at quality 50 gives."""
    agreements = [
        device.post(frame(TableSet.standard(100, Sampling.YUV420), seed, Stream.INTERCHANGE)).json()["label"]
        == expected_label(1, tables(50), picture(seed))
        for seed in range(20)
    ]
    assert sum(agreements) >= 18


@pytest.mark.parametrize("sampling", [Sampling.YUV444, Sampling.YUV422, Sampling.YUV440, Sampling.YUV411])
def test_an_ordinary_jpeg_of_another_sampling_is_answered(device: Device, sampling: Sampling) -> None:
    agreements = []
    for seed in range(20):
        answer = device.post(frame(TableSet.standard(100, sampling), seed, Stream.INTERCHANGE)).json()
        assert answer["match"] == "fallback"
        agreements.append(answer["label"] == expected_label(1, tables(50), picture(seed)))
    assert sum(agreements) >= 18


def progressive(seed: int) -> bytes:
    """The progressive JPEG of a picture."""
    out = io.BytesIO()
    Image.fromarray(picture(seed)).save(out, "JPEG", progressive=True, subsampling=2, quality=50)
    return out.getvalue()


@pytest.mark.parametrize("seed", range(4))
def test_the_frames_of_odd_cameras_are_answered_like_their_plain_twins(device: Device, seed: int) -> None:
    plain = frame(tables(50), seed, Stream.INTERCHANGE)
    expected = device.post(plain).json()
    for odd in (
        streams.without(plain, oddities.DHT),
        oddities.unset_span(plain),
        oddities.zeros_before_markers(plain, 2),
        oddities.zeros_between_segments(plain, 3),
        oddities.without_eoi(plain),
        progressive(seed),
    ):
        answer = device.post(odd).json()
        assert [answer[key] for key in ("label", "confidence", "model", "match")] == [
            expected[key] for key in ("label", "confidence", "model", "match")
        ]


def test_a_grey_jpeg_is_answered_like_the_picture_without_its_colours(device: Device) -> None:
    for seed in range(8):
        grey = Encoder(TableSet.standard(100, Sampling.GREY)).encode(picture(seed), Stream.INTERCHANGE)
        luma = np.asarray(Image.open(io.BytesIO(grey)))
        without_colours = np.repeat(luma[..., np.newaxis], 3, axis=-1)
        assert device.post(grey).json()["label"] == expected_label(1, tables(50), without_colours)


def test_the_same_sequence_gets_the_same_answer_and_counts_once(harness: ServerHarness, device: Device) -> None:
    before = harness.scrape()
    forms = [frame(tables(50), 1, stream) for stream in (Stream.ABBREVIATED, Stream.INTERCHANGE, Stream.ABBREVIATED)]
    answers = [device.post(data, sequence=7).json() for data in forms]
    batch = batch_with_scans(50, [1], first_sequence=7)
    document = post_batch(device, batch)
    assert isinstance(document, dict)
    assert answers == [answers[0]] * 3
    assert document["results"] == answers[:1]
    assert gained(harness, before, "dctwire_frames_total") == 1
    assert gained(harness, before, "dctwire_predictions_total") == 1
    assert gained(harness, before, "dctwire_replayed_frames_total") == 3


@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
def test_another_frame_under_a_number_that_is_taken_is_told_to_count_on_from_the_highest(
    harness: ServerHarness, device: Device, stream: Stream
) -> None:
    first = device.post(frame(tables(50), 1), sequence=7)
    device.post(frame(tables(50), 2), sequence=41)
    before = harness.scrape()
    refused = device.post(frame(tables(50), 3, stream), sequence=7)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["retry"]) == (409, "sequence-taken", "renumber")
    assert problem["highest_sequence"] == 41
    assert gained(harness, before, "dctwire_rejected_frames_total", reason="sequence-taken") == 1
    assert gained(harness, before, "dctwire_replayed_frames_total") == 0
    assert device.post(frame(tables(50), 3, stream), sequence=42).status_code == 200
    assert device.post(frame(tables(50), 1), sequence=7).json() == first.json()


@pytest.mark.parametrize("prefer", [{"prefer": "return=minimal"}, {}], ids=["minimal", "whole"])
def test_a_batch_of_a_device_that_counts_from_0_again_says_so_frame_by_frame(
    device: Device, prefer: dict[str, str]
) -> None:
    first = post_batch(device, batch_with_scans(50, range(4)))
    assert isinstance(first, dict)
    again = batch_with_scans(50, [0, 11, 12, 3, 14, 15])
    document = post_batch(device, again, **prefer)
    assert isinstance(document, dict)
    if not prefer:
        problems = {number: found["problem"] for number, found in enumerate(document["results"]) if "problem" in found}
        assert [found for found in document["results"] if "problem" not in found][:2] == [
            first["results"][0],
            first["results"][3],
        ]
    else:
        problems = {int(number): problem for number, problem in document["problems"].items()}
    assert {number: problem["highest_sequence"] for number, problem in problems.items()} == {1: 3, 2: 3}
    assert {problem["retry"] for problem in problems.values()} == {"renumber"}


def test_a_number_above_all_counting_is_told_to_go_back_to_the_highest_one_that_was_taken(
    harness: ServerHarness, device: Device
) -> None:
    none_yet = device.post(frame(tables(50), 1), sequence=SEQUENCE_ALWAYS_MAX + 1)
    assert none_yet.json()["highest_sequence"] == 0
    device.post(frame(tables(50), 2), sequence=41)
    before = harness.scrape()
    for sequence in (SEQUENCE_ALWAYS_MAX + 1, 2**62, SEQUENCE_MAX):
        refused = device.post(frame(tables(50), 3), sequence=sequence)
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["retry"]) == (409, "sequence-too-high", "renumber")
        assert problem["highest_sequence"] == 41
        assert refused.headers["dw-answered"] == f"{device.device_id}.{sequence} refused"
    assert gained(harness, before, "dctwire_rejected_frames_total", reason="sequence-too-high") == 3
    row = harness.client("operator").get(f"/v1/devices/{device.device_id}").json()
    assert row["suspected_clone"] is None
    assert device.post(frame(tables(50), 3), sequence=42).status_code == 200


def test_above_a_number_that_was_taken_there_are_always_free_ones(device: Device) -> None:
    highest = SEQUENCE_ALWAYS_MAX
    for seed in range(3):
        assert device.post(frame(tables(50), seed), sequence=highest).status_code == 200
        refused = device.post(frame(tables(50), 9), sequence=highest + SEQUENCE_STEP_MAX + 1)
        assert refused.json()["highest_sequence"] == highest
        assert device.post(frame(tables(50), seed + 10), sequence=highest + 1).status_code == 200
        highest += SEQUENCE_STEP_MAX


@pytest.mark.parametrize("prefer", [{"prefer": "return=minimal"}, {}], ids=["minimal", "whole"])
def test_a_batch_in_which_numbers_are_too_high_is_told_to_go_on_behind_those_that_are_not(
    device: Device, prefer: dict[str, str]
) -> None:
    device.post(frame(tables(50), 1), sequence=7)
    batch = batch_with_scans(50, range(4))
    numbers = (SEQUENCE_ALWAYS_MAX - 1, SEQUENCE_ALWAYS_MAX, SEQUENCE_ALWAYS_MAX + 1, SEQUENCE_MAX)
    pairs = zip(numbers, batch.items, strict=True)
    items = tuple(BatchItem(number, item.captured_at_ms, item.scan) for number, item in pairs)
    answer = post_batch(device, Batch(batch.prefix, items), **prefer)
    assert isinstance(answer, dict)
    if prefer:
        problems = {int(number): problem for number, problem in answer["problems"].items()}
    else:
        problems = {numbers[n]: found["problem"] for n, found in enumerate(answer["results"]) if "problem" in found}
    assert list(problems) == [SEQUENCE_ALWAYS_MAX + 1, SEQUENCE_MAX]
    assert {problem["code"] for problem in problems.values()} == {"sequence-too-high"}
    assert {problem["highest_sequence"] for problem in problems.values()} == {SEQUENCE_ALWAYS_MAX}


def test_what_is_no_jpeg_is_refused_for_that_whatever_its_number(device: Device) -> None:
    device.post(frame(tables(50), 1), sequence=7)
    assert device.post(b"no JPEG", sequence=7).json()["code"] == "not-a-jpeg"


def test_an_answer_from_before_there_were_digests_is_given_again_unseen(harness: ServerHarness, device: Device) -> None:
    first = device.post(frame(tables(50), 1), sequence=7)
    with harness.database() as database:
        database.execute(update(results).values(scan_digest=None))
    assert device.post(frame(tables(50), 2), sequence=7).json() == first.json()


def test_two_frames_under_one_number_at_once_get_one_answer_and_one_refusal(device: Device) -> None:
    frames = [frame(tables(50), seed % 2) for seed in range(16)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda data: device.post(data, sequence=3), frames))
    by_frame = [{answer.text for answer in answers[seed::2] if answer.status_code == 200} for seed in range(2)]
    assert sorted(map(len, by_frame)) == [0, 1]
    assert {answer.json()["highest_sequence"] for answer in answers if answer.status_code == 409} == {3}


def test_an_answer_that_was_stored_meanwhile_is_the_answer(harness: ServerHarness, device: Device) -> None:
    """Another process on the same database was faster: its answer stands, and it has counted the frame."""
    device.post(frame(tables(50), 1), sequence=0)
    data = frame(tables(25), 2)
    answered = {"label": "four", "confidence": 0.25, "model": "digits/1", "match": "exact", "tables": "v1"}
    with harness.database() as database:
        row_id = database.execute(select(devices.c.id).where(devices.c.public_id == device.device_id)).scalar_one()
        database.execute(insert(results), answered | {"device_id": row_id, "sequence": 5, "received_at_ns": 1})
        digest = scan_digest(Frame(6, data), inspect(data).scan_bytes)
        row = answered | {"device_id": row_id, "sequence": 6, "received_at_ns": 1, "scan_digest": digest}
        database.execute(insert(results), row)
        database.execute(insert(results), row | {"sequence": 7, "scan_digest": digest ^ 1})
    before = harness.scrape()
    for sequence in (5, 6):
        answer = device.post(data, sequence=sequence).json()
        assert (answer["label"], answer["confidence"]) == ("four", 0.25)
    assert device.post(data, sequence=7).json()["highest_sequence"] == 7
    assert gained(harness, before, "dctwire_frames_total") == 0


def test_the_same_frame_on_two_connections_at_once_counts_once(harness: ServerHarness, device: Device) -> None:
    before = harness.scrape()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: device.post(frame(tables(50), 1), sequence=3).json(), range(24)))
    assert len({answer["id"] for answer in answers}) == 1
    assert gained(harness, before, "dctwire_frames_total") == 1


def test_an_older_sequence_that_never_arrived_is_answered(device: Device) -> None:
    device.post(frame(tables(50), 1), sequence=100)
    late = device.post(frame(tables(25), 2), sequence=50)
    assert late.json()["model"] == "digits/2"


def test_two_devices_may_use_the_same_sequence(harness: ServerHarness) -> None:
    one, two = harness.enrol("digits"), harness.enrol("digits")
    assert one.post(frame(tables(50), 1), sequence=0).json()["model"] == "digits/1"
    assert two.post(frame(tables(25), 1), sequence=0).json()["model"] == "digits/2"


def test_a_batch_is_answered_frame_by_frame(device: Device) -> None:
    batch = batch_with_scans(50, range(40))
    document = post_batch(device, batch)
    assert isinstance(document, dict)
    labels = [result["label"] for result in document["results"]]
    assert labels == [expected_label(1, tables(50), picture(seed)) for seed in range(40)]
    ids = [result["id"] for result in document["results"]]
    assert ids == [f"{device.device_id}.{number}" for number in range(40)]


def test_a_bad_frame_in_a_batch_harms_no_other(harness: ServerHarness, device: Device) -> None:
    good = batch_with_scans(50, range(5))
    items = list(good.items)
    items[2] = BatchItem(items[2].sequence, items[2].captured_at_ms, items[2].scan[:3])
    before = harness.scrape()
    document = post_batch(device, Batch(good.prefix, tuple(items)))
    assert isinstance(document, dict)
    codes = [result.get("problem", {}).get("code") for result in document["results"]]
    assert codes == [None, None, "corrupt-jpeg", None, None]
    assert document["results"][2]["problem"]["retry"] == Retry.NO
    assert gained(harness, before, "dctwire_rejected_frames_total", reason="corrupt-jpeg") == 1
    assert gained(harness, before, "dctwire_frames_total") == 4


def test_a_minimal_batch_names_only_what_went_wrong(device: Device) -> None:
    good = batch_with_scans(50, range(3), first_sequence=10)
    assert post_batch(device, good, prefer="return=minimal") is None
    items = (good.items[0], BatchItem(99, 0, b""))
    document = post_batch(device, Batch(good.prefix, items), prefer="return=minimal")
    assert isinstance(document, dict)
    assert list(document["problems"]) == ["99"]
    assert document["problems"]["99"]["code"] == "corrupt-jpeg"


def test_a_batch_may_repeat_frames_that_were_answered(harness: ServerHarness, device: Device) -> None:
    before = harness.scrape()
    first = post_batch(device, batch_with_scans(50, range(4)))
    second = post_batch(device, batch_with_scans(50, range(6)))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert second["results"][:4] == first["results"]
    assert gained(harness, before, "dctwire_frames_total") == 6


def test_decoded_levels_are_what_the_classifier_sees() -> None:
    """The harness's expectation is not the server's own: it is worked out from the encoder's levels, in numpy."""
    y, c = Encoder(tables(50)).quantise_batch(picture(0)[None])
    assert y.shape == (1, 64, 4, 4)
    assert c is not None
    assert c.shape == (1, 128, 2, 2)
    assert np.abs(y).max() > 1


def logits(pixels: Pixels) -> npt.NDArray[np.float64]:
    """What the classifier of digits/1 says of a picture, as `expected_label` works it out."""
    y, c = Encoder(tables(50)).quantise_batch(pixels[None])
    assert c is not None
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(0, 1, (192, len(LABELS))), rng.normal(0, 1, len(LABELS))
    found: npt.NDArray[np.float64] = np.concatenate([y.mean((2, 3)), c.mean((2, 3))], axis=1)[0] @ weights + bias
    return found


@pytest.mark.parametrize("top", [1, 3, 5, 10])
def test_the_likeliest_labels_are_named_where_they_are_asked_for(device: Device, top: int) -> None:
    for number in range(6):
        said = logits(picture(number))
        odds = np.exp(said - said.max())
        best = np.argsort(-said)[:top]
        answer = device.post(frame(tables(50), number), path=f"/v1/frames?top={top}").json()
        assert [one["label"] for one in answer["top"]] == [LABELS[index] for index in best]
        assert [one["confidence"] for one in answer["top"]] == pytest.approx(list(odds[best] / odds.sum()), abs=2e-4)
        assert answer["top"][0] == {"label": answer["label"], "confidence": answer["confidence"]}


def test_a_batch_names_the_likeliest_labels_of_each_frame(device: Device) -> None:
    batch = batch_with_scans(50, range(5))
    headers = {"content-type": BATCH_MEDIA_TYPE}
    answer = device.http.post("/v1/frames:batch?top=2", content=batch.to_bytes(), headers=headers)
    results = answer.json()["results"]
    assert [len(result["top"]) for result in results] == [2] * 5
    assert [result["top"][0]["label"] for result in results] == [result["label"] for result in results]
    BatchResults.model_validate_json(answer.content)


def test_without_being_asked_for_they_cost_no_byte(device: Device) -> None:
    assert "top" not in device.post(frame(tables(50), 1)).json()
    assert "top" not in device.post(frame(tables(50), 1), sequence=0, path="/v1/frames?top=5").json(), "none is stored"
    minimal = device.post(frame(tables(50), 2), path="/v1/frames?top=5", headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (204, b"")


@pytest.mark.parametrize("path", ["/v1/frames", "/v1/frames:batch"])
@pytest.mark.parametrize("top", ["0", "11", "", "five"])
def test_a_top_that_is_no_number_is_refused(device: Device, path: str, top: str) -> None:
    media_type = BATCH_MEDIA_TYPE if path.endswith("batch") else "image/jpeg"
    body = batch_with_scans(50, [1]).to_bytes() if path.endswith("batch") else frame(tables(50), 1)
    answer = device.post(body, path=f"{path}?top={top}", headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


def test_requests_at_once_that_want_more_or_fewer_each_get_what_they_asked_for(harness: ServerHarness) -> None:
    devices = [harness.enrol("digits") for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        post = lambda top: devices[top].post(frame(tables(50), top), path=f"/v1/frames{f'?top={top}' if top else ''}")  # noqa: E731
        for _ in range(20):
            answers = list(threads.map(post, range(4)))
            assert [len(answer.json().get("top", ())) for answer in answers] == [0, 1, 2, 3]
