"""The heavy part, run in a worker thread: decode a batch of frames of one lane, classify it, name the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from cloud_server.errors import ClassifierFaultError
from cloud_server.inference.classifier import Attempt, Plane
from cloud_server.inference.routing import Lane
from shared.bundle import Bundle
from shared.bundle.coefficients import CoefficientStatistics, coefficient_statistics
from shared.errors import PeerError
from shared.jpeg import TableSet, Transcoder
from shared.jpeg.errors import ContainedFaultError
from shared.wire import Match

_LEVEL = np.iinfo(np.int16)
_log = structlog.get_logger()


class Prediction(NamedTuple):
    """The most likely label by its index, and the confidence in it, 0..1: the softmax's at the model's temperature.

    Args:
        ranking: as many of the likeliest labels as were asked for, the first first.
    """

    label: int
    confidence: float
    ranking: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Classified:
    """One outcome a frame, in order, and how long the two halves took (seconds, for the whole batch).

    `statistics` has a row a frame; that of a frame that could not be decoded means nothing.
    """

    outcomes: tuple[Prediction | PeerError | ClassifierFaultError, ...]
    decode_seconds: float
    infer_seconds: float
    statistics: CoefficientStatistics | None = None


def classify(
    lane: Lane,
    frames: Sequence[bytes],
    *,
    attempt: Attempt | None = None,
    top: int = 0,
    with_statistics: bool = False,
) -> Classified:
    """Decode and classify; a frame without an answer has its error and harms no other.

    Args:
        attempt: told when the classifier begins; whoever else has it may stop the classifier.

    Raises:
        ClassifierFaultError: the classifier failed with the whole batch, or was stopped.
    """
    started = perf_counter()
    y, c, errors = _planes(lane, frames)
    decoded = perf_counter()
    if attempt is not None:
        attempt.began = decoded
    logits = lane.model.classifier.run(y, c, attempt)
    predictions = _predictions(logits, len(frames), len(lane.model.labels), top, lane.model.temperature)
    for error in errors:
        if isinstance(error, ContainedFaultError):  # a fault of ours, answered like a damaged frame
            _log.error("codec-fault", reason=str(error))
    outcomes = tuple(error or prediction for error, prediction in zip(errors, predictions, strict=True))
    inferred = perf_counter()
    statistics = coefficient_statistics(y, c) if with_statistics else None
    return Classified(outcomes, decoded - started, inferred - decoded, statistics)


def _planes(lane: Lane, frames: Sequence[bytes]) -> tuple[Plane, Plane, list[PeerError | None]]:
    """y (n, 64, h/8, w/8), c (n, 128, h/16, w/16): levels under the model's tables, or coefficients if it reads them.

    Frames of other tables are dequantised; what reads levels gets them requantised to its own.
    """
    if lane.transcoder is not None:
        return _resized_planes(lane, lane.transcoder, frames)
    geometry, published = lane.model.input, lane.model.published
    is_other = lane.match is Match.FALLBACK
    dtype = np.float32 if is_other else np.int16
    y = np.empty((len(frames), 64, geometry.height // 8, geometry.width // 8), dtype)
    c = np.empty((len(frames), 128, geometry.height // 16, geometry.width // 16), dtype)
    errors = lane.decoder.decode_batch(frames, y, c, dequantise=is_other)
    if is_other and isinstance(published, Bundle):
        return *requantise(y, c, published.tables), errors
    return y, c, errors


def _resized_planes(
    lane: Lane, transcoder: Transcoder, frames: Sequence[bytes]
) -> tuple[Plane, Plane, list[PeerError | None]]:
    """As `_planes`, of frames of any size: the levels of what a sensor would have sent."""
    geometry, dtype = lane.model.input, lane.model.classifier.reads.dtype
    y = np.zeros((len(frames), 64, geometry.height // 8, geometry.width // 8), dtype)
    c = np.zeros((len(frames), 128, geometry.height // 16, geometry.width // 16), dtype)
    errors: list[PeerError | None] = [None] * len(frames)
    for index, frame in enumerate(frames):
        try:
            y[index], c[index] = transcoder.levels(frame)
        except PeerError as error:
            errors[index] = error
    return y, c, errors


def requantise(
    y: npt.NDArray[np.float32], c: npt.NDArray[np.float32], tables: TableSet
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Dequantised coefficients (n, 64, ..), (n, 128, ..) as levels under `tables`, rounded to the nearest."""
    luma, cb, cr = (np.frombuffer(table, np.uint8).astype(np.float32) for table in tables.quant)
    return _as_levels(y, luma), _as_levels(c, np.concatenate([cb, cr]))


def _as_levels(coefficients: npt.NDArray[np.float32], steps: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    levels: npt.NDArray[np.float32] = np.rint(coefficients / steps[:, None, None])
    return levels.clip(_LEVEL.min, _LEVEL.max).astype(np.int16)


def _predictions(
    logits: npt.NDArray[np.float32], frames: int, labels: int, top: int, temperature: float
) -> Sequence[Prediction | ClassifierFaultError]:
    """One outcome a frame; what should be finite and one number a label, and is not, is no prediction."""
    if logits.shape != (frames, labels):
        return [ClassifierFaultError(f"the logits are {logits.shape}, not ({frames}, {labels})")] * frames
    is_finite = np.isfinite(logits)
    if not is_finite.all():
        return _finite_predictions(logits, [bool(row.all()) for row in is_finite], top, temperature)
    with np.errstate(over="ignore"):  # of logits as far apart as numbers can be; the unlikelier label's odds are 0
        apart = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
        odds = np.exp(apart / temperature)  # the likeliest label's are 1
    confidence = 1 / odds.sum(axis=1)
    best = logits.argmax(axis=1)
    rankings = _rankings(odds * confidence[:, None], best, top) if top else [()] * frames
    return list(map(Prediction, best.tolist(), confidence.tolist(), rankings))


def _rankings(
    confidences: npt.NDArray[np.float64], best: npt.NDArray[np.intp], top: int
) -> list[tuple[tuple[int, float], ...]]:
    """The `top` likeliest labels of each row, `best` in front; of labels that are equally likely, the lower ones."""
    confidences[np.arange(len(best)), best] += 1  # whatever rounding made equal to it stays behind it
    order = np.argsort(-confidences, axis=1, kind="stable")[:, :top]
    confidences[np.arange(len(best)), best] -= 1
    chosen = np.take_along_axis(confidences, order, axis=1)
    return [tuple(zip(*row, strict=True)) for row in zip(order.tolist(), chosen.tolist(), strict=True)]


def _finite_predictions(
    logits: npt.NDArray[np.float32], is_finite: Sequence[bool], top: int, temperature: float
) -> Sequence[Prediction | ClassifierFaultError]:
    rows = iter(_predictions(logits[np.array(is_finite)], sum(is_finite), logits.shape[1], top, temperature))
    fault = ClassifierFaultError("the classifier's logits for this frame are not finite")
    return [next(rows) if one else fault for one in is_finite]
