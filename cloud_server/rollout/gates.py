"""Gates: whether what devices sent shows that the new bundle is worse than the old one by more than a limit.

docs/rollouts.md says what they promise, docs/adr/0037-gates-count-devices.md why they judge so.
"""

import math
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud_server.rollout.counts import Counts
from cloud_server.rollout.evidence import Evidence, evidence
from cloud_server.rollout.gate_kinds import FACTS, Facts, GateKind, Unit
from cloud_server.rollout.harm import Harm, difference, growth
from cloud_server.rollout.means import Sample, distrusted_devices
from cloud_server.rollout.verdict_words import found, look_words, missing, open_question
from shared.bundle import Disagreement

FAIL_RATE_Z = 4.0
"""How sure it has to be that too many devices fail, in standard errors: it is asked again and again."""
TOLD_SURELY = 0.999
"""How probably a stage has no more devices that lie than are taken away before: each stage is a chance for them."""
ALPHA = 0.01
"""How probably gates stop a rollout whose bundle is worse by no more than their limits."""


class Opinion(StrEnum):
    """What a gate says: go on, stop, or wait for more."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    HOLD = "hold"


def _default(fields: dict[str, Any]) -> Facts:
    return FACTS[fields["kind"]]


class Gate(BaseModel):
    """How much worse the new bundle may be in one respect; 0.05 is 5 % more, or 5 points.

    Args:
        limit: a harm up to this one stops nothing.
        detects: the gate passes only where a harm of this size is ruled out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: GateKind
    limit: float = Field(default_factory=lambda fields: _default(fields).limit, ge=0, allow_inf_nan=False)
    detects: float = Field(default_factory=lambda fields: _default(fields).detects, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _detects_more_than_its_limit(self) -> Self:
        most = FACTS[self.kind].unit.value
        if not self.limit < self.detects <= most:
            raise ValueError(
                f"`detects` of the gate {self.kind} must be above its limit {self.limit:g}, up to {most:g}"
            )
        return self


class Verdict(BaseModel):
    """What a gate said at one look, and by which numbers; a harm is above 0 where the new bundle is worse.

    Args:
        estimate, lower, upper: the harm, and what it is at least and at most; null: nothing to judge by, or no bound.
        devices, old_devices: that say anything of it under the new and under the old bundle.
        counted: frames, labels or pairs under the new bundle.
        words: all of it for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: GateKind
    opinion: Opinion
    estimate: float | None
    lower: float | None
    upper: float | None
    limit: float
    detects: float
    devices: int
    old_devices: int
    counted: int
    look: int
    looks: int
    words: str


def judge(
    gate: Gate, counts: Counts, *, alpha: float, look: int, looks: int, expected_disagreement: Disagreement | None
) -> Verdict:
    """What a gate says of these counts.

    FAIL: the harm is above the limit with confidence 1 - `alpha`, even without the devices that speak most for it.
    PASS: without them it is within the limit, and with them `detects` is ruled out. HOLD: neither.

    Args:
        alpha: how probably a harm within the limit may be taken for one above it; see `alpha_a_look`.
        look, looks: which look at the stage it is, from 1, and how many there will be.
        expected_disagreement: what the trainer measured between exactly these two bundles.
    """
    assert 0 < alpha < 0.5
    assert 1 <= look <= looks
    seen = evidence(gate.kind, counts, expected_disagreement)
    harm = _harm(seen, FACTS[gate.kind].unit, alpha)
    opinion = _opinion(gate, harm)
    reason = _reason(gate, opinion, harm, seen)
    words = f"{found(gate.kind, harm, gate.limit, seen)}, {look_words(look, looks)}"
    return Verdict(
        gate=gate.kind,
        opinion=opinion,
        estimate=harm and harm.estimate,
        lower=harm and harm.lower,
        upper=harm and (harm.upper if math.isfinite(harm.upper) else None),
        limit=gate.limit,
        detects=gate.detects,
        devices=seen.devices,
        old_devices=seen.old_devices,
        counted=seen.counted,
        look=look,
        looks=looks,
        words=words if reason is None else f"{words}; {reason}",
    )


def alpha_a_look(judgements: int) -> float:
    """What one judgement may spend of `ALPHA` (Bonferroni): whatever depends on what, all together spend no more.

    Args:
        judgements: looks x gates, summed up over a rollout's stages.
    """
    return ALPHA / max(1, judgements)


def fail_rate(
    failed: int, settled: int, *, exposed: int, limit: float, min_devices: int, z: float = FAIL_RATE_Z
) -> Opinion:
    """What the outcomes of exposed devices say: FAIL where Wilson's interval of their share lies above the limit.

    That is asked without the devices that may lie, as many as chance may put among those that are exposed, since who
    lies may be the first to tell; and with one more that did not fail. All count where every exposed device has failed,
    for nobody is left, and where none may fail. PASS: enough have settled, and of all of them no larger share failed.
    HOLD: neither.

    Args:
        failed, settled: devices that did not take the new bundle, of those that did or did not.
        exposed: devices that are led to the new bundle, settled or not.
        limit: the share that may fail, 0..1.
        z: how many standard errors wide the interval is to each side.
    """
    assert 0 <= failed <= settled
    if settled == 0:
        return Opinion.HOLD
    believed = max(0, failed - distrusted_devices(exposed, TOLD_SURELY))
    do_all_count = failed == exposed or limit == 0
    part, whole = (failed, settled) if do_all_count else (believed, believed + settled - failed + 1)
    if _low_share(part, whole, z) > limit:
        return Opinion.FAIL
    return Opinion.PASS if settled >= min_devices and failed <= limit * settled else Opinion.HOLD


def _low_share(part: int, whole: int, z: float) -> float:
    """The lower end of Wilson's interval of a share."""
    share = part / whole
    centre = share + z**2 / (2 * whole)
    half = z * math.sqrt(share * (1 - share) / whole + z**2 / (4 * whole**2))
    return (centre - half) / (1 + z**2 / whole)


def _harm(seen: Evidence, unit: Unit, alpha: float) -> Harm | None:
    if seen.old is None:
        return None
    if unit is Unit.PERCENT and isinstance(seen.old, Sample):
        return growth(seen.new, seen.old, alpha)
    return difference(seen.new, seen.old, alpha)


def _opinion(gate: Gate, harm: Harm | None) -> Opinion:
    if harm is None:
        return Opinion.HOLD
    if harm.lower > gate.limit:
        return Opinion.FAIL
    return Opinion.PASS if harm.believed <= gate.limit and harm.upper < gate.detects else Opinion.HOLD


def _reason(gate: Gate, opinion: Opinion, harm: Harm | None, seen: Evidence) -> str | None:
    """What a verdict needs to say beside its numbers."""
    if harm is None:
        return missing(seen)
    if opinion is Opinion.HOLD and harm.upper >= gate.detects:
        return open_question(gate.kind, gate.detects)
    if opinion is not Opinion.FAIL and harm.estimate > gate.limit:
        return "not surely above the limit"
    return None
