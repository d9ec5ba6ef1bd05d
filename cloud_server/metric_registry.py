"""Where metrics are registered and counted: the ground that each part of them stands on."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Described(NamedTuple):
    """What a metric is: its name as queries write it, its Prometheus type, its labels in order, its help text.

    A histogram's queries write `_bucket`, `_sum` or `_count` behind its name.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class MetricRegistry:
    """A registry, and the children of its counters.

    Each part keeps every metric of its own as an attribute, so that all of them can be described.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._children: dict[tuple[Counter, tuple[str, ...]], Counter] = {}

    def described(self) -> list[Described]:
        """Every metric, in the order in which they were registered, whether anything was counted or not."""
        return [_described(one) for one in vars(self).values() if isinstance(one, Counter | Gauge | Histogram)]

    def _labelled(self, counter: Counter, *labels: str) -> Counter:
        """`counter.labels(*labels)`, remembered: looking a child up costs more than counting with it."""
        key = (counter, labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        return child


def _described(collector: Counter | Gauge | Histogram) -> Described:
    [metric] = collector.describe()
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return Described(name, metric.type, tuple(collector._labelnames), metric.documentation)
