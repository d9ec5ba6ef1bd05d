"""What /metrics say of accuracy: gauges of what is known now, and none of what nothing is known of any more."""

from cloud_server.metrics import Metrics
from cloud_server.quality_metrics import AccuracyFigures

KNOWN = AccuracyFigures("digits", "v1", estimated=0.75, audited=0.5, low=0.25, high=0.625, gap=0.125)
GUESSED = AccuracyFigures("digits", "v2", estimated=0.875, audited=None, low=None, high=None, gap=None)


def series(metrics: Metrics) -> list[str]:
    """What Prometheus reads of accuracy."""
    names = ("dctwire_estimated_accuracy_", "dctwire_audited_accuracy_", "dctwire_accuracy_gap_")
    return sorted(line for line in metrics.exposition().decode().splitlines() if line.startswith(names))


def test_a_version_has_series_of_what_is_known_of_it_and_goes_when_nothing_is() -> None:
    metrics = Metrics()
    metrics.set_accuracies([KNOWN])
    assert series(metrics) == [
        'dctwire_accuracy_gap_ratio{family="digits",tables="v1"} 0.125',
        'dctwire_audited_accuracy_ratio{bound="high",family="digits",tables="v1"} 0.625',
        'dctwire_audited_accuracy_ratio{bound="low",family="digits",tables="v1"} 0.25',
        'dctwire_audited_accuracy_ratio{bound="share",family="digits",tables="v1"} 0.5',
        'dctwire_estimated_accuracy_ratio{family="digits",tables="v1"} 0.75',
    ]
    metrics.set_accuracies([GUESSED])
    assert series(metrics) == ['dctwire_estimated_accuracy_ratio{family="digits",tables="v2"} 0.875']
    metrics.set_accuracies([])
    assert series(metrics) == []
