"""From a micro-batch's predictions to answers, and to the event that tells of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.inference.classify import Prediction
from cloud_server.inference.pending import Ranking
from cloud_server.inference.routing import Lane
from cloud_server.inference.waiting import WaitingFrame
from cloud_server.quality.estimates import may_be_estimated
from cloud_server.storage.rows.results import StoredResult
from shared.bundle.coefficients import CoefficientStatistics
from shared.wire import FrameResult, Kind


class Offer(NamedTuple):
    """An answer that is ready to be stored.

    Args:
        row: the frame's place in its micro-batch.
        is_counted: whether it counts in reports and is told as one that may be learned from.
        is_estimated: whether its confidence tells how accurate answers are.
    """

    waiting: WaitingFrame
    row: int
    prediction: Prediction
    result: StoredResult
    is_counted: bool
    is_estimated: bool = False


class Answering:
    """Makes the answers of one micro-batch.

    Args:
        received_at_ns: since 1970; it is stored with them.
        is_quarantined: whether a device, by its row, is in quarantine, so that its frames count nowhere.
    """

    def __init__(self, lane: Lane, received_at_ns: int, is_quarantined: Callable[[int], bool]) -> None:
        self._labels = lane.model.labels
        self._model = lane.model.name
        self._match = lane.match
        self._tables = lane.tables
        self._received_at_ns = received_at_ns
        self._is_quarantined = is_quarantined
        self._is_estimated = may_be_estimated(lane.match, lane.model.reference)

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
        if (companion := waiting.frame.companion) is not None:
            result = result._replace(kind=companion.kind.value, companion_of=companion.of)
        is_counted = not self._is_quarantined(result.device_id)
        return Offer(waiting, row, prediction, result, is_counted, self._is_estimated)

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


def answered_frames(
    lane: Lane, offers: Sequence[Offer], statistics: CoefficientStatistics | None
) -> Sequence[AnsweredFrames]:
    """The events of these answers, now that they are stored: one for each kind of frames that is among them.

    Args:
        statistics: of the whole micro-batch.
    """
    kinds = dict.fromkeys(offer.result.kind for offer in offers)
    return [_event(lane, kind, [one for one in offers if one.result.kind == kind], statistics) for kind in kinds]


def _event(
    lane: Lane, kind: str | None, offers: Sequence[Offer], statistics: CoefficientStatistics | None
) -> AnsweredFrames:
    first = offers[0]
    frames = (
        AnsweredFrame(
            offer.result.device_id,
            offer.result.sequence,
            offer.waiting.frame.data,
            offer.waiting.scan_bytes,
            offer.prediction.label,
            offer.prediction.confidence,
            offer.is_counted,
            offer.result.companion_of,
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
        kind=Kind.FRAME if kind is None else Kind(kind),
        reference=lane.model.reference,
    )
