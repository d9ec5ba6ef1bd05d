"""The plan of a rollout, as an operator writes it: stages, each wider than the one before, and what lets it go on.

A plan is JSON. Every time is in seconds, and every limit has a number.
"""

from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cloud_server.fleet.exposure import Reach
from cloud_server.fleet.tags import TAG, TAGS_MAX
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate

STAGES_MAX = 20
LOOKS_MAX = 50
QUIET_MAX = 7
HOUR, DAY = 3600.0, 86_400.0
LONGEST = 90 * DAY

Seconds = Annotated[float, Field(ge=0, le=LONGEST, allow_inf_nan=False)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
FilterTag = Annotated[str, StringConstraints(pattern=TAG, max_length=64)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OnFail(StrEnum):
    """What a rollout does by itself where a gate fails, or too many devices do."""

    PAUSE = "pause"
    ROLLBACK = "rollback"


class Quiet(_Part):
    """A time of each day, UTC, in which a rollout gets no wider; one that ends before it begins goes over midnight."""

    begins: TimeOfDay
    ends: TimeOfDay

    @model_validator(mode="after")
    def _is_no_whole_day(self) -> Self:
        if self.begins == self.ends:
            raise ValueError(f"a quiet time that begins and ends at {self.begins} would never end")
        return self

    def holds(self, time_of_day: str) -> bool:
        """Whether a time of the day, as `HH:MM`, is in it."""
        if self.begins < self.ends:
            return self.begins <= time_of_day < self.ends
        return time_of_day >= self.begins or time_of_day < self.ends


class Stage(_Part):
    """A part of the fleet, and what has to be seen of it before a rollout goes on.

    Args:
        percent: of the devices that have all `tags`: the same ones each time, and those of narrower stages among them.
        min_devices: how many have to be settled: confirmed by their frames, rolled back, refused or overdue.
        min_frames: how many frames have to be answered with the new tables.
        min_soak_seconds: how long the stage lasts at least.
        max_fail_rate: the share of settled devices that may have failed, beyond doubt.
        deadline_seconds: after which the rollout pauses, where it is still not clear whether it may go on.
        looks: how often the gates are judged until then, evenly spaced.
    """

    percent: Annotated[float, Field(gt=0, le=100)]
    tags: Annotated[tuple[FilterTag, ...], Field(max_length=TAGS_MAX)] = ()
    min_devices: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    min_frames: Annotated[int, Field(ge=0, le=2**53)] = 0
    min_soak_seconds: Seconds = 0
    max_fail_rate: Annotated[float, Field(ge=0, lt=1)] = 0.05
    deadline_seconds: Annotated[float, Field(ge=1, le=LONGEST)] = DAY
    looks: Annotated[int, Field(ge=1, le=LOOKS_MAX)] = 5
    gates: Annotated[tuple[Gate, ...], Field(max_length=len(GateKind))] = ()
    on_fail: OnFail = OnFail.ROLLBACK

    @model_validator(mode="after")
    def _can_be_passed(self) -> Self:
        if self.min_soak_seconds > self.deadline_seconds:
            raise ValueError(f"min_soak_seconds ({self.min_soak_seconds:g}) is longer than the deadline")
        kinds = [gate.kind for gate in self.gates]
        if doubled := {kind.value for kind in kinds if kinds.count(kind) > 1}:
            raise ValueError(f"there are two gates {', '.join(sorted(doubled))} in one stage")
        return self

    @property
    def reach(self) -> Reach:
        """Which devices the stage is about."""
        return Reach(self.percent, frozenset(self.tags))

    @property
    def reaches_everybody(self) -> bool:
        """Whether no device is left out."""
        return self.percent == 100 and not self.tags


class Plan(_Part):
    """A rollout from its first stage to its end.

    Args:
        starts_at: before which nothing happens, seconds since 1970.
        quiet: when no more devices are let in. What fails is stopped in quiet times, too.
        soak_seconds: how long everybody runs the new bundle before it counts as released.
        preflight_seconds: how long every process may take to serve the new bundle before the rollout pauses.
        pause_max_seconds: after which a paused rollout is rolled back, so that none is forgotten.
        rollback_seconds: how long the roll-back waits for devices to come back before it counts as done.
        timeout_seconds: how long a device that is online may take before it counts as overdue, and failed.
        proofs: how many frames a device has to have answered by the new classifier until it counts as confirmed.
    """

    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=STAGES_MAX)]
    starts_at: Annotated[float, Field(ge=0, le=2**53)] | None = None
    quiet: Annotated[tuple[Quiet, ...], Field(max_length=QUIET_MAX)] = ()
    soak_seconds: Seconds = 0
    preflight_seconds: Annotated[float, Field(ge=1, le=LONGEST)] = HOUR
    pause_max_seconds: Annotated[float, Field(ge=60, le=LONGEST)] = 7 * DAY
    rollback_seconds: Annotated[float, Field(ge=1, le=LONGEST)] = DAY
    timeout_seconds: Annotated[float, Field(ge=1, le=LONGEST)] = 6 * HOUR
    proofs: Annotated[int, Field(ge=1, le=1000)] = 3

    @model_validator(mode="after")
    def _is_not_always_quiet(self) -> Self:
        minutes = (f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))
        if all(any(quiet.holds(minute) for quiet in self.quiet) for minute in minutes):
            raise ValueError("the quiet times leave no minute of the day, so the rollout would never go on")
        return self

    @model_validator(mode="after")
    def _gets_wider_up_to_everybody(self) -> Self:
        if not self.stages[-1].reaches_everybody:
            raise ValueError("the last stage has to reach everybody: percent 100, no tags")
        for earlier, later in pairwise(self.stages):
            if set(later.tags) <= set(earlier.tags) and later.percent < earlier.percent:
                raise ValueError(f"a stage of {later.percent:g} percent follows one of {earlier.percent:g} percent")
        return self

    def stage(self, number: int) -> Stage:
        """The stage with a number; before the first stage the first one, in the soak the last."""
        return self.stages[max(0, min(number, len(self.stages) - 1))]

    @property
    def judgements(self) -> int:
        """How often gates may be judged in all: those of the last stage once more in the soak."""
        stages = [*self.stages, *(self.stages[-1:] if self.soak_seconds else ())]
        return sum(stage.looks * len(stage.gates) for stage in stages)

    def is_quiet(self, now: float) -> bool:
        """Whether a time, in seconds since 1970, is a quiet one."""
        time_of_day = datetime.fromtimestamp(now, UTC).strftime("%H:%M")
        return any(quiet.holds(time_of_day) for quiet in self.quiet)


def at_once() -> Plan:
    """What `assign` follows: everybody at once, whatever comes of it."""
    return Plan(stages=(Stage(percent=100, min_devices=0, max_fail_rate=0.999),))


def standard() -> Plan:
    """What a rollout follows where nobody wrote a plan: 1, 5, 25 and 100 percent, a day each at most.

    The first stage is to find a bundle that is broken: so few devices show no more, and labels come slowly.
    """
    coarse = (
        Gate(kind=GateKind.BYTES, detects=0.4),
        Gate(kind=GateKind.FALLBACK, limit=0.02, detects=0.25),
        Gate(kind=GateKind.REFUSALS, limit=0.02, detects=0.25),
        Gate(kind=GateKind.ENCODE_TIME),
    )
    kinds = (GateKind.BYTES, GateKind.FALLBACK, GateKind.REFUSALS, GateKind.ENCODE_TIME, GateKind.ACCURACY)
    fine = tuple(Gate(kind=kind) for kind in kinds)
    stages = ((1.0, 0.08, coarse), (5.0, 0.05, fine), (25.0, 0.05, fine), (100.0, 0.05, fine))
    return Plan(
        stages=tuple(
            Stage(
                percent=percent,
                min_devices=5,
                min_frames=500,
                min_soak_seconds=HOUR,
                max_fail_rate=may_fail,
                gates=gates,
            )
            for percent, may_fail, gates in stages
        ),
        soak_seconds=DAY,
    )
