"""Metrics of rollouts, as the process that leads them sees them; a family has one active rollout at most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry


@dataclass(frozen=True, slots=True)
class RolloutFigures:
    """Where a family's active rollout stands.

    Args:
        since: when that state began, in seconds since 1970.
        exposed: devices that are led to the new bundle.
        outcomes: devices by what became of it on them.
    """

    family: str
    state: str
    since: float
    percent: float
    exposed: int
    outcomes: Mapping[str, int]


class RolloutMetrics(MetricRegistry):
    """Where the active rollouts stand."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._states = Gauge(
            "dctwire_rollout_state",
            "1 for the state of a family's active rollout.",
            ["family", "state"],
            registry=registry,
        )
        self._since = Gauge(
            "dctwire_rollout_state_timestamp_seconds",
            "Since when a family's active rollout is in its state.",
            ["family"],
            registry=registry,
        )
        self._percents = Gauge(
            "dctwire_rollout_percent",
            "How much of the family the widest stage so far has, of those without tags.",
            ["family"],
            registry=registry,
        )
        self._exposed = Gauge(
            "dctwire_rollout_exposed_devices",
            "Devices that a family's active rollout leads to its new bundle.",
            ["family"],
            registry=registry,
        )
        self._reached = Gauge(
            "dctwire_rollout_devices",
            "Exposed devices by what became of the new bundle on them.",
            ["family", "outcome"],
            registry=registry,
        )
        self._verdicts = Counter(
            "dctwire_rollout_verdicts",
            "What gates said at their looks.",
            ["family", "gate", "opinion"],
            registry=registry,
        )
        self._steps = Counter(
            "dctwire_rollout_steps",
            "States that rollouts came to.",
            ["family", "state"],
            registry=registry,
        )

    def set_rollouts(self, rollouts: Sequence[RolloutFigures]) -> None:
        """Say where the active rollouts stand; families without one have no series."""
        for gauge in (self._states, self._since, self._percents, self._exposed, self._reached):
            gauge.clear()
        for each in rollouts:
            self._states.labels(each.family, each.state).set(1)
            self._since.labels(each.family).set(each.since)
            self._percents.labels(each.family).set(each.percent)
            self._exposed.labels(each.family).set(each.exposed)
            for outcome, devices in each.outcomes.items():
                self._reached.labels(each.family, outcome).set(devices)

    def count_verdict(self, family: str, gate: str, opinion: str) -> None:
        """What a gate said."""
        self._verdicts.labels(family, gate, opinion).inc()

    def count_step(self, family: str, state: str) -> None:
        """Count that a rollout came to a state."""
        self._steps.labels(family, state).inc()
