"""What /metrics says of trainings."""

from cloud_server.metrics import Metrics
from cloud_server.trainer_metrics import GATES_NAMED_MAX, TrainingFigures


def series(metrics: Metrics) -> list[str]:
    """What Prometheus reads of trainings, in order."""
    lines = metrics.exposition().decode().splitlines()
    return sorted(line for line in lines if line.startswith("dctwire_trainer_") and "_created" not in line)


def test_where_trainings_stand_is_told_until_they_stand_otherwise() -> None:
    metrics = Metrics()
    metrics.set_trainings([TrainingFigures("digits", "running", 9.0, {"published": 5.0}, 2)])
    assert series(metrics) == [
        'dctwire_trainer_failures_in_a_row{family="digits"} 2.0',
        'dctwire_trainer_last_end_timestamp_seconds{family="digits",outcome="published"} 5.0',
        'dctwire_trainer_lease_timestamp_seconds{family="digits"} 9.0',
        'dctwire_trainer_run_state{family="digits",state="running"} 1.0',
    ]
    metrics.set_trainings([TrainingFigures("digits", None, None, {"published": 5.0, "refused": 10.0}, 0)])
    assert series(metrics) == [
        'dctwire_trainer_failures_in_a_row{family="digits"} 0.0',
        'dctwire_trainer_last_end_timestamp_seconds{family="digits",outcome="published"} 5.0',
        'dctwire_trainer_last_end_timestamp_seconds{family="digits",outcome="refused"} 10.0',
    ]


def test_a_trainer_that_names_gates_without_end_makes_no_series_without_end() -> None:
    metrics = Metrics()
    for number in range(GATES_NAMED_MAX + 3):
        metrics.count_training_verdict("digits", f"gate-{number}", "pass")
    metrics.count_training_verdict("digits", "gate-0", "pass")
    told = series(metrics)
    assert len(told) == GATES_NAMED_MAX + 1
    assert 'dctwire_trainer_gate_verdicts_total{family="digits",gate="other",opinion="pass"} 3.0' in told
    assert 'dctwire_trainer_gate_verdicts_total{family="digits",gate="gate-0",opinion="pass"} 2.0' in told
