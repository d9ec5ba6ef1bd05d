"""JSON messages of the device plane."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from shared.bundle import Family, Label
from shared.wire.problems import Problem
from shared.wire.sequences import SEQUENCE_MAX

TARGET_MAX_CHARACTERS = 128
TOP_MAX = 10
"""The most labels that can be asked for."""
SETTINGS_HEADER = "DW-Settings"
"""Of replies that name an assignment: a number that is another one once other settings hold, or something is asked for;
left out where none hold and nothing is. A device asks for its assignment when it changes, as with the assignment's."""
ASKED_NUMBER = 2**31
"""Added to the counter of the settings while diagnostics are asked for."""
DIAGNOSTICS_MAX_BYTES = 256 << 10
DIAGNOSTICS_MEDIA_TYPE = "application/gzip"
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


DeviceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,16}$")]
Voucher = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""A server's word that it enrolled a device: HMAC-SHA256 in base64url without padding."""


class Message(BaseModel):
    """A message in which unknown fields are passed over: a newer end may say more than an older one reads."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


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


class RankedLabel(Message):
    """A label and the softmax's confidence in it."""

    label: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class FrameResult(Message):
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


class ItemProblem(Message):
    """What stands in a bad frame's place among a batch's results."""

    problem: Problem


class BatchResults(Message):
    """The answer to a batch, frame by frame in its order."""

    results: list[FrameResult | ItemProblem]


class BatchProblems(Message):
    """The short answer to a batch of which some frames were refused: the problem of each by its sequence."""

    problems: dict[int, Problem]


class EnrolmentRequest(Message):
    """What a device sends to join. The same claim code with the same secret gets the same answer, however often.

    A device that has joined before sends what it got then, too: a server that was restored from an older backup, and
    does not know it any more, lets it in again on its own voucher.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    claim_code: Annotated[str, Field(min_length=1, max_length=64, repr=False)]
    secret: Annotated[DeviceSecret, Field(repr=False)]
    device_id: DeviceId | None = None
    family: Family | None = None
    voucher: Annotated[Voucher | None, Field(repr=False)] = None

    @model_validator(mode="after")
    def _vouches_for_somebody(self) -> Self:
        if len({self.device_id is None, self.family is None, self.voucher is None}) > 1:
            raise ValueError("device_id, family and voucher come together")
        return self

    @model_serializer(mode="wrap")
    def _without_absent_members(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialise(self).items() if value is not None}


class Enrolment(Message):
    """What a device gets for its claim code and its secret, and gets again for the same two.

    Args:
        voucher: with which the server knows the device again that it has forgotten; None of one that gives none.
    """

    device_id: DeviceId
    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    family: Family
    voucher: Annotated[Voucher | None, Field(repr=False)] = None


class Assignment(Message):
    """Which bundle the device should run. An unsigned hint: the trust comes from TUF, not from here.

    Args:
        settings: the target path of the settings that hold for it; None where none do. It is left out then.
        diagnostics: a request for diagnostics, by its name; None: there is none, and it is left out.
    """

    seq: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    family: Annotated[str, Field(max_length=TARGET_MAX_CHARACTERS)]
    counter: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    target: Annotated[str, Field(max_length=TARGET_MAX_CHARACTERS)]
    settings: Annotated[str, Field(max_length=TARGET_MAX_CHARACTERS)] | None = None
    diagnostics: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None


class LabelReport(Message):
    """What a frame truly shows. The label need not be one that a classifier knows."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    label: Label
    source: LabelSource
