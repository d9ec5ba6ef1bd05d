"""Metrics of trainings: what came of them, by the process that was told, and how they stand, as all processes know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry

GATES_NAMED_MAX = 50
"""A trainer names its gates; more than so many are counted together as `other`."""


@dataclass(frozen=True, slots=True)
class TrainingFigures:
    """How a family's trainings stand; times are seconds since 1970.

    Args:
        state: of the run that has not ended; None: all have.
        lease_until: until when its worker has it; None: nobody has it.
        ends: when a run ended the last time, by outcome.
        failures: how many runs failed in a row, up to now.
    """

    family: str
    state: str | None
    lease_until: float | None
    ends: Mapping[str, float]
    failures: int


class TrainerMetrics(MetricRegistry):
    """How trainings go."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._gates: set[str] = set()
        self._runs = Counter("dctwire_trainer_runs", "Trainings that ended.", ["family", "outcome"], registry=registry)
        self._gate_verdicts = Counter(
            "dctwire_trainer_gate_verdicts",
            "What gates said of what came of trainings.",
            ["family", "gate", "opinion"],
            registry=registry,
        )
        self._cost = Counter(
            "dctwire_trainer_run_seconds", "How long trainings that ended took.", ["family"], registry=registry
        )
        self._training_states = Gauge(
            "dctwire_trainer_run_state",
            "1 for the state of a family's training that has not ended.",
            ["family", "state"],
            registry=registry,
        )
        self._leases = Gauge(
            "dctwire_trainer_lease_timestamp_seconds",
            "Until when the trainer that has a family's training is not overdue; no series where none is under way.",
            ["family"],
            registry=registry,
        )
        self._last_ends = Gauge(
            "dctwire_trainer_last_end_timestamp_seconds",
            "When a training ended so the last time.",
            ["family", "outcome"],
            registry=registry,
        )
        self._failures = Gauge(
            "dctwire_trainer_failures_in_a_row",
            "Trainings that failed since one did not.",
            ["family"],
            registry=registry,
        )

    def count_run(self, family: str, outcome: str) -> None:
        """Count a training that ended."""
        self._runs.labels(family, outcome).inc()

    def count_training_verdict(self, family: str, gate: str, opinion: str) -> None:
        """Count what a gate said."""
        if len(self._gates) < GATES_NAMED_MAX:
            self._gates.add(gate)
        gate = gate if gate in self._gates else "other"
        self._gate_verdicts.labels(family, gate, opinion).inc()

    def count_cost(self, family: str, seconds: float) -> None:
        """Count how long a training took."""
        self._cost.labels(family).inc(seconds)

    def set_trainings(self, figures: Sequence[TrainingFigures]) -> None:
        """Say how trainings stand; what no family has has no series."""
        for gauge in (self._training_states, self._leases, self._last_ends, self._failures):
            gauge.clear()
        for one in figures:
            if one.state is not None:
                self._training_states.labels(one.family, one.state).set(1)
            if one.lease_until is not None:
                self._leases.labels(one.family).set(one.lease_until)
            for outcome, at in one.ends.items():
                self._last_ends.labels(one.family, outcome).set(at)
            self._failures.labels(one.family).set(one.failures)
