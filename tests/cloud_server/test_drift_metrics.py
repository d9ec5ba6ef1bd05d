"""What /metrics says of drift: counters from the start, gauges of what is watched now."""

from cloud_server.drift_metrics import DriftFigures
from cloud_server.metrics import Metrics

QUIET = DriftFigures("digits", "v7", "zeros", 0.125, None)
DRIFTING = DriftFigures("digits", "v7", "zeros", None, 60.0)


def series(metrics: Metrics) -> list[str]:
    """What Prometheus reads of drift."""
    lines = metrics.exposition().decode().splitlines()
    return [line for line in lines if line.startswith("dctwire_drift_") and "_created" not in line]


def test_counters_are_there_before_the_first_alarm() -> None:
    metrics = Metrics()
    metrics.expect_drift("digits", "v7", ["zeros"])
    alarms = 'dctwire_drift_alarms_total{family="digits",signal="zeros",tables="v7"}'
    assert f"{alarms} 0.0" in series(metrics)
    assert 'dctwire_drift_frames_total{family="digits",tables="v7"} 0.0' in series(metrics)
    metrics.count_drift("digits", "v7", "zeros")
    assert f"{alarms} 1.0" in series(metrics)


def test_a_drift_has_a_beginning_and_goes_with_it() -> None:
    metrics, labels = Metrics(), '{family="digits",signal="zeros",tables="v7"}'
    metrics.set_drift([DRIFTING])
    assert series(metrics) == [
        f"dctwire_drift_active{labels} 1.0",
        f"dctwire_drift_since_timestamp_seconds{labels} 60.0",
    ]
    metrics.set_drift([QUIET])
    assert series(metrics) == [f"dctwire_drift_score{labels} 0.125", f"dctwire_drift_active{labels} 0.0"]
    metrics.set_drift([])
    assert series(metrics) == []
