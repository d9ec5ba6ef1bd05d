"""What the server knows of a family that bears on training it anew, as `dctwire runs signals FAMILY --json` has it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Trigger(StrEnum):
    """Why a training begins."""

    OPERATOR = "operator"
    DRIFT = "drift"
    GAP = "gap"
    LABELS = "labels"
    SCHEDULE = "schedule"


class _Told(BaseModel):
    """What a server tells; newer ones may tell more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Drifting(_Told):
    """A signal that drifts, since when (seconds since 1970) and how far."""

    signal: str
    since: float
    score: float | None = None


class EstimateGap(_Told):
    """Accuracy as confidences tell it, the interval that audited labels give, and whether the two have parted."""

    estimated: float
    labelled_low: float
    labelled_high: float
    parts: bool


class Assigned(_Told):
    """The bundle that the family runs."""

    counter: int
    classifier_sha256: str


class RunTold(_Told):
    """A training in the server's record; times are seconds since 1970."""

    id: str
    state: str
    trigger: str = ""
    reason: str | None = None
    worker: str | None = None
    lease_until: float | None = None
    outcome: str | None = None
    ended_at: float | None = None


class Signals(_Told):
    """All that is told of a family.

    Args:
        at: when the server looked, in seconds since 1970.
        labels_since: frames that were labelled after what the last training with a result had seen.
        failures: how many trainings failed in a row, up to now.
        devices_out: those of which nothing may be learned.
    """

    family: str
    at: float
    labels_total: int
    labels_since: int
    drift: tuple[Drifting, ...] = ()
    estimate_gap: EstimateGap | None = None
    assigned: Assigned | None = None
    open_run: RunTold | None = None
    last_run: RunTold | None = None
    failures: int = 0
    devices_out: tuple[str, ...] = ()
