"""Makes the golden exposition, of a run that counts everything once; `make metrics` writes it anew."""

from collections import Counter
from importlib.metadata import version
from pathlib import Path

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.drift_metrics import DriftFigures
from cloud_server.metrics import Metrics, Payload, Stage
from cloud_server.quality_metrics import AccuracyFigures
from cloud_server.rollout_metrics import RolloutFigures
from cloud_server.trainer_metrics import TrainingFigures
from cloud_server.upkeep_metrics import ExpectedFigures
from shared.wire import Kind, Match, ProblemCode

FILE = Path(__file__).parent / "metrics" / "exposition.txt"
FAMILY, TABLES, MODEL = "doorbell", "v7", "doorbell/7"


def exposition() -> str:
    """What Prometheus reads of a server to which everything happened that is counted.

    The program's version is left out, and so are the times at which counters were made: the server exports none.
    """
    metrics = Metrics()
    _count_frames(metrics)
    _count_quality(metrics)
    _count_refusals(metrics)
    _count_classifiers(metrics)
    _set_fleet(metrics)
    _set_rollouts(metrics)
    _count_trainings(metrics)
    _count_drift(metrics)
    _set_server(metrics)
    text = metrics.exposition().decode().replace(f'version="{version("dctwire")}"', 'version="VERSION"')
    return "".join(line for line in text.splitlines(keepends=True) if "_created" not in line)


def _answered(kind: Kind, frames: int) -> AnsweredFrames:
    return AnsweredFrames(
        family=FAMILY,
        model=MODEL,
        labels=("nobody", "somebody"),
        match=Match.EXACT,
        tables=TABLES,
        table_set=None,
        answered_at=1.0,
        frames=tuple(AnsweredFrame(1, number, b"jpeg", 2, number % 2, 0.5, True) for number in range(frames)),
        kind=kind,
    )


def _count_frames(metrics: Metrics) -> None:
    metrics.count_answered(_answered(Kind.FRAME, 3))
    metrics.count_companions(_answered(Kind.PROBE, 1))
    metrics.count_exchange("batch", 700, 120, Payload(1, FAMILY, TABLES, 400, 0, 50, frames=3))
    metrics.count_exchange("frames", 300, 60, Payload(1, FAMILY, TABLES, 200, 0, 20, frames=0))
    metrics.count_exchange("heartbeat", 250, 40, None)
    metrics.count_replay(FAMILY)
    metrics.count_feedback(FAMILY, TABLES, is_correct=True)
    metrics.count_feedback(FAMILY, TABLES, is_correct=False)
    metrics.count_sample(FAMILY, "random")
    metrics.count_sample_dropped("cap")
    metrics.count_observer_fault("sampler")
    metrics.observe_batch(3, queue_seconds=0.001, decode_seconds=0.002, infer_seconds=0.004)
    for stage in (Stage.COMMIT, Stage.TOTAL):
        metrics.observe(stage, 0.03)


def _count_quality(metrics: Metrics) -> None:
    metrics.count_estimated(FAMILY, TABLES, 3, 2.25)
    metrics.count_audited(FAMILY, TABLES, Match.EXACT.value, is_correct=True)
    metrics.set_accuracies([AccuracyFigures(FAMILY, TABLES, 0.75, 0.5, 0.25, 0.625, 0.125)])
    metrics.count_baselines(FAMILY, TABLES, frames=2, payload_bytes=300, baseline_bytes=1500)
    metrics.count_baseline_dropped("queue")


def _count_refusals(metrics: Metrics) -> None:
    metrics.count_rejected_frames(ProblemCode.CORRUPT_JPEG, 2)
    metrics.count_refused_request(ProblemCode.QUEUE_FULL)
    metrics.count_refused_call("operator", ProblemCode.ROLE_NEEDED)
    metrics.count_refused_connection()
    metrics.count_displaced_request()
    metrics.count_failed_handshake()


def _count_classifiers(metrics: Metrics) -> None:
    metrics.count_load(is_loaded=True)
    metrics.count_load(is_loaded=False)
    metrics.count_classifier_fault(MODEL)
    metrics.count_classifier_stop(MODEL)
    metrics.count_eviction()
    metrics.set_classifiers([(MODEL, "int8", 1 << 20, 32)], failed=["doorbell/8"])
    metrics.lost_threads.set(1)
    metrics.queue_depth.set(5)
    metrics.queue_oldest.set(0.25)


def _set_fleet(metrics: Metrics) -> None:
    metrics.set_fleet(Counter({(FAMILY, TABLES): 9, (FAMILY, "none"): 1}), {FAMILY: 12}, Counter({(FAMILY, "pin"): 1}))
    metrics.set_told(Counter({"0.9.0": 8}), Counter({"confirmed": 7}), stale=1, clones=1)
    metrics.set_contact({FAMILY: 10}, {(FAMILY, "day"): 2, (FAMILY, "week"): 1}, {FAMILY: 1})
    metrics.set_trials([(FAMILY, 1, 1_000.0, 2)])


def _set_rollouts(metrics: Metrics) -> None:
    metrics.set_rollouts([RolloutFigures(FAMILY, "stage", 2_000.0, 5, 3, {"confirmed": 2, "pending": 1})])
    metrics.count_verdict(FAMILY, "bytes", "pass")
    metrics.count_step(FAMILY, "stage")


def _count_trainings(metrics: Metrics) -> None:
    metrics.count_run(FAMILY, "published")
    metrics.count_training_verdict(FAMILY, "accuracy", "pass")
    metrics.count_cost(FAMILY, 1_200.0)
    metrics.set_trainings([TrainingFigures(FAMILY, "running", 8_000.0, {"published": 7_500.0}, failures=1)])


def _count_drift(metrics: Metrics) -> None:
    metrics.expect_drift(FAMILY, TABLES, ["luma_low", "zeros"])
    metrics.count_drift_frames(FAMILY, TABLES, 32)
    metrics.count_drift(FAMILY, TABLES, "zeros")
    metrics.set_drift(
        [
            DriftFigures(FAMILY, TABLES, "luma_low", 0.03125, None),
            DriftFigures(FAMILY, TABLES, "zeros", 0.5, 7_000.0),
        ]
    )


def _set_server(metrics: Metrics) -> None:
    metrics.audit_rows.set(4)
    metrics.audit_is_broken.set(0)
    metrics.tuf_expiry.labels("root").set(3_000.0)
    metrics.missing_online_keys.set(0)
    metrics.samples_bytes.set(4096)
    metrics.certificate_expiry.set(4_000.0)
    metrics.certificate_failures.set(0)
    metrics.set_open_planes({"device": False, "operator": False})
    metrics.disk_free.set(1 << 30)
    metrics.disk_size.set(4 << 30)
    metrics.last_backup.set(5_000.0)
    metrics.set_published({FAMILY: 6_000.0}, [ExpectedFigures(FAMILY, TABLES, 140.0, 210.0, 0.875)])
    metrics.take_log({("error", "housekeeping-failed"): 2}, dropped=1)
    metrics.set_endpoints(["pager"])
    metrics.count_delivery("pager", is_delivered=True)
    metrics.count_delivery("pager", is_delivered=False)
    metrics.count_dropped("pager", 3)
    metrics.set_waiting([("pager", 2, 7_000_000)])


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(exposition())
