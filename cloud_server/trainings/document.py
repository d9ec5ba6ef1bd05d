"""What a worker tells of a run that has ended: verdicts of gates, figures, cost, and where it came from."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cloud_server.trainings.standing import Outcome
from shared.errors import PeerError

DOCUMENT_MAX_BYTES = 64 << 10
COUNTER_MAX = 2**31 - 1
AHEAD_MAX_SECONDS = 300.0
"""So far above the server's time may a document's `data_until` lie, and its labels are taken for known until then."""
_SECONDS_MAX, _BYTES_MAX, _TIME_MAX = 1e9, 2**53, 1e11
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(ge=0, le=_SECONDS_MAX, allow_inf_nan=False)]


class Opinion(StrEnum):
    """What a gate says; all but `pass` keep a bundle from being published."""

    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    REFUSE = "refuse"
    UNKNOWN = "unknown"


class Unit(StrEnum):
    """What a figure is counted in; a share is told as a percentage."""

    SHARE = "share"
    BYTES = "bytes"
    SECONDS = "seconds"
    NUMBER = "number"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateVerdict(_Part):
    """What one gate said, and why, in a sentence."""

    gate: Name
    opinion: Opinion
    words: _Line


class Figure(_Part):
    """Something measured, with the ends of its interval where it has one, of `n` frames."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    unit: Unit
    value: _Number
    low: _Number | None = None
    high: _Number | None = None
    n: int | None = Field(default=None, ge=0, le=COUNTER_MAX)


class Cost(_Part):
    """What a run took."""

    wall_seconds: _Seconds
    cpu_seconds: _Seconds | None = None
    peak_memory_bytes: int | None = Field(default=None, ge=0, le=_BYTES_MAX)


class SetAside(_Part):
    """A device of which nothing was learned, and why."""

    device: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,16}$")]
    why: _Line


class RunDocument(_Part):
    """What a worker tells of a run; nothing must be told, but what `require_consistent` asks for."""

    reason: Annotated[str, StringConstraints(max_length=1000)] = Field(
        default="", description="In words: why it was refused, failed or waits."
    )
    parent: Annotated[str, StringConstraints(max_length=80)] | None = Field(
        default=None, description="The champion, from which it went on: a bundle's name."
    )
    counter: int | None = Field(default=None, ge=1, le=COUNTER_MAX, description="The bundle that came of it.")
    rollout: Annotated[str, StringConstraints(pattern="^[a-z2-7]{8}$")] | None = Field(
        default=None, description="The rollout that leads to it."
    )
    data_digest: _Sha256 | None = None
    recipe_digest: _Sha256 | None = None
    data_until: float | None = Field(
        default=None,
        ge=0,
        le=_TIME_MAX,
        allow_inf_nan=False,
        description="`at` of the signals before the data were pulled: labels from then on are new to the next run.",
    )
    sources: dict[Name, Annotated[int, Field(ge=0, le=COUNTER_MAX)]] = Field(
        default_factory=dict, max_length=32, description="How many frames it learned from, by where they came from."
    )
    set_aside: tuple[SetAside, ...] = Field(default=(), max_length=100)
    left_out: dict[Name, Annotated[int, Field(ge=0, le=COUNTER_MAX)]] = Field(
        default_factory=dict, max_length=32, description="How many labelled frames it did not learn from, by cause."
    )
    verdicts: tuple[GateVerdict, ...] = Field(default=(), max_length=32)
    figures: tuple[Figure, ...] = Field(default=(), max_length=64)
    steps: dict[Name, _Seconds] = Field(default_factory=dict, max_length=32, description="Seconds by step.")
    cost: Cost | None = None
    commands: tuple[_Line, ...] = Field(
        default=(), max_length=16, description="What somebody has to type for it to go on."
    )

    @classmethod
    def read(cls, text: str) -> Self:
        """The document of a row."""
        return cls.model_validate_json(text)


def require_consistent(outcome: Outcome, document: RunDocument, now: float) -> None:
    """Check that a document says what its outcome says: what was let through, all gates let through.

    Args:
        now: seconds since 1970; nobody has pulled data of the future, and who said so would silence labels until then.

    Raises:
        PeerError: it does not; names the member.
    """
    held = [each.gate for each in document.verdicts if each.opinion is not Opinion.PASS]
    if outcome in (Outcome.PUBLISHED, Outcome.DRAFT):
        if held:
            raise PeerError(f"document.verdicts: {outcome.value} is not what gates say that did not pass: {held[0]}")
        if not document.verdicts:
            raise PeerError(f"document.verdicts: a run ends as {outcome.value} because of its gates; name them")
    if outcome is Outcome.PUBLISHED and document.counter is None:
        raise PeerError("document.counter: a run that ends as published names its bundle's number")
    if outcome is Outcome.REFUSED and not held:
        raise PeerError("document.verdicts: a run is refused by a gate; name the one that did not pass")
    if outcome is Outcome.FAILED and not document.reason:
        raise PeerError("document.reason: say why the run failed")
    if document.data_until is not None and document.data_until > now + AHEAD_MAX_SECONDS:
        raise PeerError(
            f"document.data_until: {document.data_until:.0f} has not come yet, it is {now:.0f}; end with `at` of the "
            "signals that were read before the data were pulled"
        )
