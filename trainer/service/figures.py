"""What was measured of a challenger beside its champion: plain data, as a training's folder keeps it."""

from pydantic import BaseModel, ConfigDict

from trainer.evaluation.intervals import wilson_interval


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassPair(_Figures):
    """One class's frames: how many there are, and how many each of the two names rightly."""

    label: str
    n: int
    champion_right: int
    challenger_right: int

    @property
    def lost(self) -> int:
        """Frames that the challenger names rightly less than the champion; negative where it gains."""
        return self.champion_right - self.challenger_right


class PairFigures(_Figures):
    """Champion and challenger on the same frames.

    Args:
        name: which frames.
        only_champion, only_challenger: frames that one alone names rightly.
        gain, low, high: accuracy of the challenger less that of the champion, with its 95 % interval.
        p: McNemar's, exact and two-sided.
        champion_bytes, challenger_bytes: mean scan bytes a frame.
    """

    name: str
    n: int
    champion_right: int
    challenger_right: int
    only_champion: int
    only_challenger: int
    gain: float
    low: float
    high: float
    p: float
    champion_bytes: float
    challenger_bytes: float
    classes: tuple[ClassPair, ...] = ()

    @property
    def champion(self) -> tuple[float, float, float]:
        """The champion's accuracy with its 95 % interval."""
        return _with_interval(self.champion_right, self.n)

    @property
    def challenger(self) -> tuple[float, float, float]:
        """The challenger's accuracy with its 95 % interval."""
        return _with_interval(self.challenger_right, self.n)


class EightBitFigures(_Figures):
    """How many of n held-out frames the eight-bit twin names rightly, and the float32 classifier."""

    right: int
    float_right: int
    n: int

    @property
    def lost(self) -> int:
        """Frames that the twin names rightly less; negative where it gains."""
        return self.float_right - self.right


class CalibrationFigures(_Figures):
    """How far confidences are from being true.

    Args:
        error: mean distance of confidence and accuracy over `n` frames (expected calibration error).
        temperature: that logits are divided by.
    """

    error: float
    temperature: float
    n: int


class GoldenFigures(_Figures):
    """What the exported classifier makes of its golden frames, read again from the bundle's folder.

    Args:
        rows: frames whose logits are promised.
        worst: largest difference from a promised logit, relative to the spread of all.
    """

    n: int
    rows: int
    worst: float


class Measured(_Figures):
    """All that the gates are told of a challenger, and what names it.

    Args:
        parity: what torch and ONNX Runtime disagree about; None: nothing.
        encoding_faults: why cameras that run the champion's bundle could not make the challenger's frames.
        budget: scan bytes a frame that were to be spent.
        data: name of the base data set, whose test pictures are the holdout.
        champion, bundle: names of the two bundles.
    """

    holdout: PairFigures
    recent: PairFigures | None
    int8: EightBitFigures
    calibration: CalibrationFigures
    golden: GoldenFigures
    encoding_faults: tuple[str, ...]
    budget: float
    data: str
    champion: str
    bundle: str
    bundle_sha256: str
    classifier_sha256: str
    tables_id: str
    champion_tables_id: str


def _with_interval(right: int, n: int) -> tuple[float, float, float]:
    low, high = wilson_interval(right, n)
    return right / n, low, high
