"""What a trainer measured of a classifier for the server alone, to judge what it sees in the field against."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from shared.bundle.canonical import Canonical, Part

REFERENCE_LIMIT_BYTES = 64 * 1024
SIGNALS_MAX = 64
BINS_MAX = 64
SUM_TOLERANCE = 1e-6

Share = Annotated[float, Field(ge=0, le=1)]
Frames = Annotated[int, Field(ge=1, le=2**31 - 1)]
Signal = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,62}$")]


class Histogram(Part):
    """How a number was spread over held-out frames.

    Args:
        edges: between neighbouring bins, rising; the first bin has no lower end and the last no upper one. A value on
            an edge counts above it.
        shares: of the frames in each bin, one more than edges; together 1.
    """

    edges: Annotated[tuple[FiniteFloat, ...], Field(min_length=1, max_length=BINS_MAX - 1)]
    shares: Annotated[tuple[Share, ...], Field(min_length=2, max_length=BINS_MAX)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} bins, not {len(self.shares)}")
        if any(left >= right for left, right in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must rise")
        if abs(sum(self.shares) - 1) > SUM_TOLERANCE:
            raise ValueError(f"shares sum up to {sum(self.shares)}, not 1")
        return self


class Drift(Part):
    """What frames looked like to the classifier: a histogram for each signal, over `n` held-out frames."""

    n: Frames
    signals: Annotated[dict[Signal, Histogram], Field(min_length=1, max_length=SIGNALS_MAX)]


class BaselineFactor(Part):
    """How to correct a server's estimate of what ordinary JPEG would have cost.

    Args:
        quality: of the ordinary JPEG, as the IJG counts it.
        factor: bytes of ordinary JPEGs of the original pictures, over bytes of those made of the bundle's frames.
        n: held-out frames.
    """

    quality: Annotated[float, Field(ge=1, le=100)]
    factor: Annotated[float, Field(gt=0, le=1000)]
    n: Frames


class Disagreement(Part):
    """How often this version and the one before name different labels of the same held-out picture.

    Args:
        counter: of the version before, in the same family.
        share: of the pictures, each encoded as each version's cameras would.
        n: held-out pictures.
    """

    counter: Annotated[int, Field(ge=1, le=2**31 - 1)]
    share: Share
    n: Frames


class Reference(Canonical):
    """`reference.json`: every part is null where the trainer did not measure it.

    Args:
        temperature: by which logits are divided before softmax, so that confidences are calibrated.
    """

    KIND: ClassVar[str] = "reference"
    LIMIT_BYTES: ClassVar[int] = REFERENCE_LIMIT_BYTES

    schema_version: Literal[1] = Field(default=1, alias="schema")
    temperature: Annotated[float, Field(gt=0, le=1000)] | None = None
    drift: Drift | None = None
    baseline_factor: BaselineFactor | None = None
    disagreement: Disagreement | None = None
