"""From a micro-batch's predictions to answers, and to the event that tells of them."""

from collections.abc import Sequence
from typing import NamedTuple

from cloud_server.answered import AnsweredFrame, AnsweredFrames, CoefficientStatistics
from cloud_server.inference.classify import Prediction
from cloud_server.inference.pending import Ranking
from cloud_server.inference.routing import Lane
from cloud_server.inference.waiting import WaitingFrame
from cloud_server.storage.rows.results import StoredResult
from shared.wire import FrameResult


class Offer(NamedTuple):
    """An answer that is ready to be stored; `row` is the frame's place in its micro-batch."""

    waiting: WaitingFrame
    row: int
    prediction: Prediction
    result: StoredResult


class Answering:
    """Makes the answers of one micro-batch; `received_at_ns` (since 1970) is stored with them."""

    def __init__(self, lane: Lane, received_at_ns: int) -> None:
        self._labels = lane.model.labels
        self._model = lane.model.name
        self._match = lane.match
        self._tables = lane.tables
        self._received_at_ns = received_at_ns

    def offer(self, waiting: WaitingFrame, sequence: int, row: int, prediction: Prediction) -> Offer:
        """The answer to a frame with a number."""
        result = StoredResult(
            waiting.device.row_id,
            sequence,
            self._labels[prediction.label],
            round(prediction.confidence, 4),
            self._model,
            self._match.value,
            self._tables,
            self._received_at_ns,
            waiting.scan_digest,
        )
        return Offer(waiting, row, prediction, result)

    def ranking(self, prediction: Prediction) -> Ranking:
        """The likeliest labels, as far as they were asked for."""
        return [(self._labels[label], round(confidence, 4)) for label, confidence in prediction.ranking]

    def unstored(self, prediction: Prediction) -> FrameResult:
        """The answer to a frame without a number; it has no id."""
        return FrameResult.model_construct(
            id="",
            label=self._labels[prediction.label],
            confidence=round(prediction.confidence, 4),
            model=self._model,
            match=self._match,
        )


def answered_frames(lane: Lane, offers: Sequence[Offer], statistics: CoefficientStatistics | None) -> AnsweredFrames:
    """The event of these answers, at least one, now that they are stored.

    Args:
        statistics: of the whole micro-batch.
    """
    first = offers[0]
    frames = (
        AnsweredFrame(
            offer.result.device_id,
            offer.result.sequence,
            offer.waiting.frame.data,
            offer.waiting.scan_bytes,
            offer.prediction.label,
            offer.prediction.confidence,
        )
        for offer in offers
    )
    return AnsweredFrames(
        family=first.waiting.device.family,
        model=lane.model.name,
        labels=lane.model.labels,
        match=lane.match,
        tables=lane.tables,
        table_set=lane.decoder.tables,
        answered_at=first.result.received_at_ns / 1e9,
        frames=tuple(frames),
        statistics=None if statistics is None else statistics.of([offer.row for offer in offers]),
    )
