"""What /metrics says of rollouts, beside what it says of the fleet."""

from collections import Counter

from prometheus_client import CollectorRegistry

from cloud_server.metric_registry import MetricRegistry
from cloud_server.metrics import Metrics
from cloud_server.rollout_metrics import RolloutFigures

STAGE = RolloutFigures(
    family="digits", state="stage", since=7.0, percent=5, exposed=12, outcomes={"confirmed": 9, "rejected": 2}
)


def series(metrics: Metrics) -> list[str]:
    """What Prometheus reads of rollouts, and of devices by outcome."""
    named = ("dctwire_rollout_", "dctwire_devices_by_outcome{")
    return sorted(line for line in metrics.exposition().decode().splitlines() if line.startswith(named))


def test_outcomes_of_a_rollout_and_of_updates_are_told_beside_each_other_and_go_with_the_rollout() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.set_told(Counter(), Counter({"confirmed": 40}), stale=0, clones=0)
        metrics.set_rollouts([STAGE])
    told = 'dctwire_devices_by_outcome{outcome="confirmed"} 40.0'
    assert series(metrics) == [
        told,
        'dctwire_rollout_devices{family="digits",outcome="confirmed"} 9.0',
        'dctwire_rollout_devices{family="digits",outcome="rejected"} 2.0',
        'dctwire_rollout_exposed_devices{family="digits"} 12.0',
        'dctwire_rollout_percent{family="digits"} 5.0',
        'dctwire_rollout_state_timestamp_seconds{family="digits"} 7.0',
        'dctwire_rollout_state{family="digits",state="stage"} 1.0',
    ]
    metrics.set_rollouts([])
    assert series(metrics) == [told]


def test_no_part_of_the_metrics_takes_the_place_of_anothers() -> None:
    common = vars(MetricRegistry(CollectorRegistry())).keys()
    taken = Counter(
        name for part in Metrics.__bases__ for name in vars(part(CollectorRegistry())) if name not in common
    )
    assert [name for name, parts in taken.items() if parts > 1] == []
