"""The gates between a challenger and its publication. Pure: each says pass, refuse or unknown, and why, in a sentence.

What is not known is not let through. Only where all pass is anything published.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from trainer.service.configuration import Gates
from trainer.service.figures import (
    CalibrationFigures,
    ClassPair,
    EightBitFigures,
    GoldenFigures,
    Measured,
    PairFigures,
)

LABELS_NAMED = 5  # in one sentence
GOLDEN_TOLERANCE = 1e-3
"""Of the logits' spread: what a server lets through, too."""


class Gate(StrEnum):
    """What is looked at."""

    DATA = "data"
    HOLDOUT = "holdout"
    RECENT = "recent"
    CLASSES = "classes"
    BYTES = "bytes"
    ENCODERS = "encoders"
    PARITY = "parity"
    INT8 = "int8"
    GOLDEN = "golden"
    CALIBRATION = "calibration"


class Opinion(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105 - no password
    REFUSE = "refuse"
    UNKNOWN = "unknown"


class Verdict(BaseModel):
    """What one gate says, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    opinion: Opinion
    words: str


def refused_by(gate: Gate, words: str) -> Verdict:
    """The verdict of a gate that ended a training before all could be asked."""
    return Verdict(gate=gate, opinion=Opinion.REFUSE, words=words)


def judged(measured: Measured, set_aside: Sequence[str], limits: Gates) -> tuple[Verdict, ...]:
    """Ask every gate, in a fixed order; `set_aside` are devices whose labels were not believed."""
    return (
        _data(set_aside),
        _holdout(measured.holdout, limits),
        _recent(measured.recent, limits),
        _classes(measured.holdout, measured.recent, limits),
        _bytes(measured, limits),
        _encoders(measured.encoding_faults),
        _parity(),
        _int8(measured.int8, limits),
        _golden(measured.golden),
        _calibration(measured.calibration, limits),
    )


def lets_through(verdicts: Sequence[Verdict]) -> bool:
    """Whether every gate was asked, and passes."""
    return {verdict.gate for verdict in verdicts} == set(Gate) and not held(verdicts)


def held(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts that keep a challenger from being published."""
    return tuple(verdict for verdict in verdicts if verdict.opinion is not Opinion.PASS)


def wants_tables(verdicts: Sequence[Verdict], measured: Measured, limits: Gates) -> bool:
    """Whether tables of its own may help a challenger that kept the champion's: bytes or accuracy say so.

    It is so where what holds it back is accuracy or bytes alone, or where frames of the field now cost more than the
    budget, which a classifier cannot change. Where a gate cannot tell, other tables do not help it.
    """
    kept_back = {verdict.gate for verdict in held(verdicts)}
    is_known = all(verdict.opinion is not Opinion.UNKNOWN for verdict in verdicts)
    if not is_known or kept_back - {Gate.HOLDOUT, Gate.RECENT, Gate.CLASSES, Gate.BYTES}:
        return False
    field = None if measured.recent is None else measured.recent.champion_bytes
    return bool(kept_back) or (field is not None and field > measured.budget * (1 + limits.bytes_over))


def shortage_of(frames: Mapping[str, int], least: int) -> str:
    """Which classes of the holdout have too few frames to be judged; empty: none. The base set alone decides it."""
    few = [f"{label!r} ({n})" for label, n in frames.items() if n < least]
    if frames and not few:
        return ""
    names = _listed(few) or "every class"
    return f"too few frames of the holdout show {names}: {least} are wanted{_key('class_frames')}"


def _data(set_aside: Sequence[str]) -> Verdict:
    """Where too many devices are not believed, nothing is trained: the training was refused by then."""
    words = f"labels of {_listed(set_aside)} were set aside" if set_aside else "no device's labels had to be set aside"
    return Verdict(gate=Gate.DATA, opinion=Opinion.PASS, words=words)


def _holdout(pair: PairFigures, limits: Gates) -> Verdict:
    return _accuracy(Gate.HOLDOUT, pair, "the frozen holdout", limits.holdout_loss)


def _recent(pair: PairFigures | None, limits: Gates) -> Verdict:
    n = 0 if pair is None else pair.n
    if pair is None or n < limits.recent_frames:
        words = f"{n} recent labelled uploads were held out, of {limits.recent_frames} that are wanted"
        words += f"{_key('recent_frames')}: label more"
        return Verdict(gate=Gate.RECENT, opinion=Opinion.UNKNOWN, words=words)
    return _accuracy(Gate.RECENT, pair, "recent uploads", limits.recent_loss)


def _accuracy(gate: Gate, pair: PairFigures, frames: str, loss: float) -> Verdict:
    """Not worse than by the margin, as far as the interval of the difference reaches."""
    said = (
        f"on {frames} {pair.challenger[0]:.1%} instead of {pair.champion[0]:.1%} (n = {pair.n}): "
        f"{_points(pair.gain)} points, 95 % interval {_points(pair.low)} to {_points(pair.high)}"
    )
    if pair.low >= -loss:
        return Verdict(gate=gate, opinion=Opinion.PASS, words=said)
    words = f"{said}; the interval reaches below -{100 * loss:g}{_key(f'{gate.value}_loss')}"
    return Verdict(gate=gate, opinion=Opinion.REFUSE, words=words)


def _classes(holdout: PairFigures, recent: PairFigures | None, limits: Gates) -> Verdict:
    """No class is lost, on the holdout or on recent uploads; a class of the holdout must be large enough to tell."""
    both = (*holdout.classes, *(() if recent is None else recent.classes))
    lost = [each for each in both if _is_lost(each, limits)]
    if lost:
        return Verdict(gate=Gate.CLASSES, opinion=Opinion.REFUSE, words=f"it loses {_named(lost)}{_key('class_loss')}")
    if shortage := shortage_of({each.label: each.n for each in holdout.classes}, limits.class_frames):
        return Verdict(gate=Gate.CLASSES, opinion=Opinion.UNKNOWN, words=shortage)
    worst = max(holdout.classes, key=lambda each: each.lost / each.n)
    words = f"none of {len(holdout.classes)} classes is lost; the worst, {worst.label!r}: {_change(worst)}"
    return Verdict(gate=Gate.CLASSES, opinion=Opinion.PASS, words=words)


def _is_lost(each: ClassPair, limits: Gates) -> bool:
    return each.lost >= limits.class_lost_frames and each.lost > limits.class_loss * each.n


def _bytes(measured: Measured, limits: Gates) -> Verdict:
    spent, most = measured.holdout.challenger_bytes, measured.budget * (1 + limits.bytes_over)
    said = f"{spent:.1f} scan bytes a frame on the holdout, budget {measured.budget:.1f}"
    if spent <= most:
        return Verdict(gate=Gate.BYTES, opinion=Opinion.PASS, words=said)
    words = f"{said}: more than {limits.bytes_over:.1%} above it{_key('bytes_over')}"
    return Verdict(gate=Gate.BYTES, opinion=Opinion.REFUSE, words=words)


def _encoders(faults: Sequence[str]) -> Verdict:
    if faults:
        words = f"cameras of the bundle before could not make its frames: {'; '.join(faults)}"
        return Verdict(gate=Gate.ENCODERS, opinion=Opinion.REFUSE, words=words)
    words = "cameras that run the bundle before can make its frames: size, view, sampling, labels and self-test agree"
    return Verdict(gate=Gate.ENCODERS, opinion=Opinion.PASS, words=words)


def _parity() -> Verdict:
    """Nothing is measured of a net where the two differ: the training was refused by then."""
    return Verdict(gate=Gate.PARITY, opinion=Opinion.PASS, words="torch and ONNX Runtime give the same logits")


def _int8(twin: EightBitFigures, limits: Gates) -> Verdict:
    """A single frame tells nothing, however few there are."""
    said = f"in eight bits {twin.right} of {twin.n} right, in float32 {twin.float_right}"
    if twin.n and twin.lost < max(limits.int8_loss * twin.n, 2):
        return Verdict(gate=Gate.INT8, opinion=Opinion.PASS, words=said)
    words = f"{said}: {limits.int8_loss:.1%} or more is lost{_key('int8_loss')}"
    return Verdict(gate=Gate.INT8, opinion=Opinion.REFUSE, words=words)


def _golden(golden: GoldenFigures) -> Verdict:
    said = f"{golden.rows} golden frames give their logits again, within {golden.worst:.1e} of their spread"
    if golden.rows and golden.worst <= GOLDEN_TOLERANCE:
        return Verdict(gate=Gate.GOLDEN, opinion=Opinion.PASS, words=said)
    words = f"golden frames give other logits: {golden.worst:.1e} of their spread, over {GOLDEN_TOLERANCE:g}"
    return Verdict(gate=Gate.GOLDEN, opinion=Opinion.REFUSE, words=words)


def _calibration(found: CalibrationFigures, limits: Gates) -> Verdict:
    said = (
        f"confidences are {found.error:.1%} off on average (n = {found.n}), logits divided by {found.temperature:.2f}"
    )
    if found.error > limits.calibration_error:
        words = f"{said}; {limits.calibration_error:.1%} is allowed{_key('calibration_error')}"
        return Verdict(gate=Gate.CALIBRATION, opinion=Opinion.REFUSE, words=words)
    if not limits.temperature_low <= found.temperature <= limits.temperature_high:
        words = f"{said}; {limits.temperature_low:g} to {limits.temperature_high:g} is allowed"
        words += _key("temperature_low, temperature_high")
        return Verdict(gate=Gate.CALIBRATION, opinion=Opinion.REFUSE, words=words)
    return Verdict(gate=Gate.CALIBRATION, opinion=Opinion.PASS, words=said)


def _named(lost: Sequence[ClassPair]) -> str:
    worst = sorted(lost, key=lambda each: -each.lost / each.n)
    return _listed([f"{each.label!r}: {_change(each)}" for each in worst])


def _change(each: ClassPair) -> str:
    return f"{each.challenger_right} of {each.n} right, {each.champion_right} before"


def _listed(words: Sequence[str]) -> str:
    more = len(words) - LABELS_NAMED
    return "; ".join(words[:LABELS_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _key(name: str) -> str:
    """Where a limit is said."""
    return f" ([families.NAME.gates] {name})"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
