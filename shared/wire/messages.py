"""JSON messages of the device plane."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from shared.bundle import Label
from shared.wire.problems import Problem

TOP_MAX = 10
"""The most labels that can be asked for."""
SECRET_MIN_CHARACTERS, SECRET_MAX_CHARACTERS = 43, 128
SECRET_MIN_VARIETY = 8
"""How many different characters a device's secret has at least: random ones have fewer once in 10^18."""


def _is_varied(secret: str) -> str:
    if len(set(secret)) < SECRET_MIN_VARIETY:
        raise ValueError(f"a random secret has at least {SECRET_MIN_VARIETY} different characters")
    return secret


DeviceSecret = Annotated[
    str,
    StringConstraints(min_length=SECRET_MIN_CHARACTERS, max_length=SECRET_MAX_CHARACTERS, pattern=r"^[A-Za-z0-9_-]+$"),
    AfterValidator(_is_varied),
]
"""What a device makes to be known by: 32 random bytes or more, in base64url without padding, or in hexadecimal."""


class _Message(BaseModel):
    # Unknown fields are passed over: a newer server may say more than an older device reads.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Match(StrEnum):
    """How a frame came to its classifier: with its own levels, from other tables, or from another size."""

    EXACT = "exact"
    FALLBACK = "fallback"
    RESIZED = "resized"


class LabelSource(StrEnum):
    """Who told a label."""

    HUMAN = "human"
    SENSOR = "sensor"
    AUDIT = "audit"


class RankedLabel(_Message):
    """A label and the softmax's confidence in it."""

    label: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class FrameResult(_Message):
    """The answer to one frame; `model` is the bundle's name, `confidence` the largest softmax output.

    `top`, where it was asked for: the likeliest labels, the answer first. It is not stored, so a frame that is sent
    again has none.
    """

    id: str
    label: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    model: str
    match: Match
    top: Annotated[list[RankedLabel], Field(max_length=TOP_MAX)] = []


class ItemProblem(_Message):
    """What stands in a bad frame's place among a batch's results."""

    problem: Problem


class BatchResults(_Message):
    """The answer to a batch, frame by frame in its order."""

    results: list[FrameResult | ItemProblem]


class BatchProblems(_Message):
    """The short answer to a batch of which some frames were refused: the problem of each by its sequence."""

    problems: dict[int, Problem]


class EnrolmentRequest(_Message):
    """What a device sends to join. The same claim code with the same secret gets the same answer, however often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim_code: Annotated[str, Field(min_length=1, max_length=64, repr=False)]
    secret: Annotated[DeviceSecret, Field(repr=False)]


class Enrolment(_Message):
    """What a device gets for its claim code and its secret, and gets again for the same two."""

    device_id: str
    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    family: str


class Assignment(_Message):
    """Which bundle the device should run. An unsigned hint: the trust comes from TUF, not from here."""

    seq: Annotated[int, Field(ge=1)]
    family: str
    counter: Annotated[int, Field(ge=1)]
    target: str


class LabelReport(_Message):
    """What a frame truly shows. The label need not be one that a classifier knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Label
    source: LabelSource
