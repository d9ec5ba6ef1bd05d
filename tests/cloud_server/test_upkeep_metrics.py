"""What /metrics say of a server's upkeep: the log's complaints are counted once, versions that are gone go."""

from cloud_server.metrics import Metrics
from cloud_server.upkeep_metrics import ExpectedFigures


def series(metrics: Metrics, *names: str) -> list[str]:
    """What Prometheus reads of these metrics."""
    text = metrics.exposition().decode()
    return sorted(line for line in text.splitlines() if line.startswith(names) and "_created" not in line)


def test_what_the_log_has_had_is_counted_once_however_often_it_is_asked() -> None:
    metrics = Metrics()
    metrics.take_log({("error", "late"): 2}, dropped=1)
    metrics.take_log({("error", "late"): 2}, dropped=1)
    metrics.take_log({("error", "late"): 5, ("warning", "odd"): 1}, dropped=4)
    assert series(metrics, "dctwire_log_events_total", "dctwire_log_lines_dropped_total") == [
        'dctwire_log_events_total{event="late",level="error"} 5.0',
        'dctwire_log_events_total{event="odd",level="warning"} 1.0',
        "dctwire_log_lines_dropped_total 4.0",
    ]


def test_expectations_are_told_of_the_versions_that_were_named_last() -> None:
    metrics = Metrics()
    metrics.set_published({"gate": 1.0}, [ExpectedFigures("gate", "v1", 100.0, 150.0, 0.9)])
    metrics.set_published({"gate": 2.0}, [ExpectedFigures("gate", "v2", 80.0, 120.0, 0.75)])
    assert series(metrics, "dctwire_expected_", "dctwire_newest_bundle_") == [
        'dctwire_expected_accuracy_ratio{family="gate",tables="v2"} 0.75',
        'dctwire_expected_scan_bytes{family="gate",quantile="0.5",tables="v2"} 80.0',
        'dctwire_expected_scan_bytes{family="gate",quantile="0.95",tables="v2"} 120.0',
        'dctwire_newest_bundle_timestamp_seconds{family="gate"} 2.0',
    ]
