"""JSON messages of the device plane."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.bundle import Label
from shared.wire.problems import Problem

TOP_MAX = 10
"""The most labels that can be asked for."""


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


class Enrolment(_Message):
    """What a device gets for its claim code; the token is shown only once."""

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
