"""Metrics describe themselves, all of them, whether anything was counted or not."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from cloud_server.metric_registry import Described, MetricRegistry
from cloud_server.metrics import Metrics


class Doors(MetricRegistry):
    """Two metrics."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.opened = Counter("doors_opened", "Doors opened.", ["floor", "side"], registry=self._registry)
        self.seconds = Histogram("doors_open_seconds", "How long.", registry=self._registry)


def test_a_metric_is_described_by_the_name_that_queries_write_its_type_labels_and_help() -> None:
    assert Doors().described() == [
        Described("doors_opened_total", "counter", ("floor", "side"), "Doors opened."),
        Described("doors_open_seconds", "histogram", (), "How long."),
    ]


def test_nothing_is_exported_that_is_not_described() -> None:
    metrics = Metrics()
    exported = [line.split()[2] for line in metrics.exposition().decode().splitlines() if line.startswith("# TYPE")]
    described = [one.name for one in metrics.described()]
    assert [name for name in exported if not name.endswith("_created")] == described
