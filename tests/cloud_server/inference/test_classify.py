"""Logits become labels; those that are not finite never do, and harm no other frame."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from cloud_server.errors import ClassifierFaultError
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.classify import Prediction, classify
from cloud_server.inference.routing import Lane, Model
from cloud_server.storage.schema import results, samples
from shared.bundle import MODEL_NAME, Reference
from shared.jpeg import EOI, Decoder, Encoder, Stream
from shared.wire import BATCH_MEDIA_TYPE, Batch, BatchItem, Match, Retry
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS, poison
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import batch_with_scans, frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread

VALUES = (float("nan"), float("inf"), float("-inf"))
WHITE = np.full((32, 32, 3), 255, np.uint8)


def white(quality: float, stream: Stream = Stream.ABBREVIATED) -> bytes:
    """A frame that a poisoned classifier has no answer to."""
    return Encoder(tables(quality)).encode(WHITE, stream)


@pytest.fixture(scope="module", params=VALUES, ids=str)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server whose classifiers, of its bundle and its fallback, give such logits for bright frames."""
    folder = tmp_path_factory.mktemp("server")
    write_bundle(folder / "bundle", "digits", 1, tables(50), change=partial(poison, value=request.param, above=40))
    fallback = write_fallback(folder / "any", "digits", change=partial(poison, value=request.param, above=640))
    with server_in_thread(folder / "state", sample_random_rate=1) as harness:
        harness.publish(folder / "bundle")
        harness.publish(folder / "any")
        harness.release(fallback.name)
        harness.assign("digits", 1)
        yield harness


@pytest.fixture
def camera(server: ServerHarness) -> Device:
    """A device of its."""
    return server.enrol("digits")


@pytest.mark.parametrize(
    ("quality", "stream", "match"),
    [
        (50, Stream.ABBREVIATED, "exact"),
        (50, Stream.INTERCHANGE, "exact"),
        (90, Stream.INTERCHANGE, "fallback"),
    ],
)
def test_an_answer_that_is_not_finite_is_a_fault_of_ours_and_never_a_label(
    server: ServerHarness, camera: Device, quality: float, stream: Stream, match: str
) -> None:
    before = server.scrape()
    for _ in range(2):
        answer = camera.post(white(quality, stream), sequence=3)
        assert answer.status_code == 500
        assert (answer.json()["code"], answer.json()["retry"]) == ("classifier-fault", Retry.NO)
    good = camera.post(frame(tables(quality), 1, stream), sequence=3)
    assert (good.status_code, good.json()["match"]) == (200, match)
    assert gained(server, before, "dctwire_classifier_faults_total", model=good.json()["model"]) == 2
    assert gained(server, before, "dctwire_rejected_frames_total", reason="classifier-fault") == 2
    assert gained(server, before, "dctwire_frames_total") == 1


def test_the_other_frames_of_a_batch_have_their_answers(camera: Device) -> None:
    good = batch_with_scans(50, range(6))
    items = list(good.items)
    scan = white(50)[len(good.prefix) : -len(EOI)]
    items[2] = BatchItem(items[2].sequence, items[2].captured_at_ms, scan)
    body = Batch(good.prefix, tuple(items)).to_bytes()
    answer = camera.http.post("/v1/frames:batch", content=body, headers={"content-type": BATCH_MEDIA_TYPE})
    codes = [result.get("problem", {}).get("code") for result in answer.json()["results"]]
    assert codes == [None, None, "classifier-fault", None, None, None]
    alone = [camera.post(data, sequence=100 + index).json() for index, data in enumerate(good.frames()) if index != 2]
    together = [result for result in answer.json()["results"] if "problem" not in result]
    assert [(one["label"], one["confidence"]) for one in together] == [
        (one["label"], one["confidence"]) for one in alone
    ]


def test_the_open_inference_protocol_refuses_the_request_and_names_the_frame(camera: Device) -> None:
    data = [base64.b64encode(one).decode() for one in (frame(tables(50), 1), white(50))]
    body = {"inputs": [{"name": "frame", "shape": [2], "datatype": "BYTES", "data": data}]}
    answer = camera.http.post("/v2/models/digits/infer", json=body)
    assert (answer.status_code, answer.json()["code"]) == (500, "classifier-fault")
    assert answer.json()["error"].startswith("frame 1:")


def test_nothing_of_it_is_stored_or_kept(server: ServerHarness, camera: Device) -> None:
    camera.post(white(50), sequence=987_654)
    with server.database() as database:
        stored = database.execute(select(results.c.sequence)).scalars().all()
        kept = database.execute(select(samples.c.sequence)).scalars().all()
    assert 987_654 not in [*stored, *kept]


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Lane:
    """The lane of a bundle's own frames."""
    folder = tmp_path_factory.mktemp("lane") / "bundle"
    bundle = write_bundle(folder, "digits", 1, tables(50))
    classifier = Classifier.load(folder / MODEL_NAME, bundle.input, len(LABELS))
    return Lane(Model(bundle, LABELS, classifier), Decoder(bundle.tables), "v1", Match.EXACT)


def test_logits_that_are_not_one_a_label_are_no_answer(lane: Lane) -> None:
    fewer = Lane(Model(lane.model.published, LABELS[:-1], lane.model.classifier), lane.decoder, "v1", Match.EXACT)
    outcomes = classify(fewer, [frame(tables(50), 1), b"no JPEG"]).outcomes
    assert isinstance(outcomes[0], ClassifierFaultError)
    assert not isinstance(outcomes[1], Prediction | ClassifierFaultError), "a frame's own error comes first"


def test_the_likeliest_label_has_the_softmax_of_its_logit(lane: Lane) -> None:
    (outcome,) = classify(lane, [frame(tables(50), 1)]).outcomes
    assert isinstance(outcome, Prediction)
    y, c = Encoder(tables(50)).quantise_batch(picture(1)[None])
    assert c is not None
    (logits,) = lane.model.classifier.run(y, c)
    odds = np.exp(logits - logits.max())
    assert outcome.label == int(logits.argmax())
    assert outcome.confidence == pytest.approx(float(odds.max() / odds.sum()), rel=1e-5)


def test_confidences_are_the_softmax_at_the_models_temperature_and_labels_stay(lane: Lane) -> None:
    frames, temperature = [frame(tables(50), seed) for seed in range(8)], 2.5
    tempered = replace(lane, model=replace(lane.model, reference=Reference(temperature=temperature)))
    y, c = Encoder(tables(50)).quantise_batch(np.stack([picture(seed) for seed in range(8)]))
    assert c is not None
    logits = lane.model.classifier.run(y, c).astype(np.float64) / temperature
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    before, outcomes = classify(lane, frames).outcomes, classify(tempered, frames, top=3).outcomes
    for row, plain, outcome in zip(shares, before, outcomes, strict=True):
        assert isinstance(plain, Prediction)
        assert isinstance(outcome, Prediction)
        assert outcome.label == plain.label
        assert outcome.confidence == pytest.approx(row.max(), rel=1e-4)
        assert outcome.confidence < plain.confidence
        assert [share for _, share in outcome.ranking] == pytest.approx(sorted(row, reverse=True)[:3], rel=1e-4)


@pytest.mark.parametrize("value", VALUES)
def test_one_logit_that_is_not_finite_is_enough_for_no_answer(tmp_path: Path, value: float) -> None:
    change = partial(poison, value=value, above=40, only=0)
    bundle = write_bundle(tmp_path / "bundle", "digits", 1, tables(50), change=change)
    classifier = Classifier.load(tmp_path / "bundle" / MODEL_NAME, bundle.input, len(LABELS))
    lane = Lane(Model(bundle, LABELS, classifier), Decoder(bundle.tables), "v1", Match.EXACT)
    fault, answer = classify(lane, [white(50), frame(tables(50), 1)]).outcomes
    assert isinstance(fault, ClassifierFaultError)
    assert isinstance(answer, Prediction)
