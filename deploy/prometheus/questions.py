"""The questions that people ask of the metrics, and their answers in PromQL; a good part is recorded by rules.

A version's bytes and accuracy are taken over an hour or a day, what the server does over five minutes.
"""

from dataclasses import dataclass

from cloud_server.api.http.problems import INTERNAL
from shared.wire import ProblemCode

WINDOWS = ("5m", "30m", "1h", "6h", "3d")
"""Over which the error budget is looked at: burn rates come in pairs, a long window and a short one."""
BURNING = ("1h", "6h")
"""Over which it is counted how many frames failed at all: of a few, no share says anything."""
ANSWERED_IN_SECONDS = "2.0"
"""The objective of latency: a bucket of `dctwire_stage_seconds`."""
_OURS = "|".join(sorted({INTERNAL.code, *(code.value for code in ProblemCode if code.status >= 500)}))
_VERSION = "by (family, tables)"


@dataclass(frozen=True)
class Question:
    """A question, its answer in PromQL, and the rule that records it; no name: none does."""

    asks: str
    query: str
    record: str = ""


def _share(part: str, whole: str, by: str = "") -> str:
    return f"sum{by} ({part}) / sum{by} ({whole})"


def _by_version(part: str, whole: str) -> str:
    return _share(part, whole, f" {_VERSION}")


def failed(window: str) -> str:
    """The share of frames that the server owed an answer and did not give: refused for its own reasons, or at the door.

    An upload that was refused before its frames were known counts as one frame, and so does a refused connection.
    """
    return f"({failing(window)}) / ({failing(window)} + (sum(rate(dctwire_frames_total[{window}])) or vector(0)) > 0)"


def failing(window: str) -> str:
    """The frames a second of `failed`."""
    ours = f'{{reason=~"{_OURS}"}}[{window}]'
    counted = (
        f"dctwire_rejected_frames_total{ours}",
        f"dctwire_refused_requests_total{ours}",
        f"dctwire_refused_connections_total[{window}]",
    )
    return " + ".join(f"(sum(rate({metric})) or vector(0))" for metric in counted)


def slow(window: str) -> str:
    """The share of answered uploads that took longer than the objective says, from their first byte on."""
    fast = f'sum(rate(dctwire_stage_seconds_bucket{{stage="total", le="{ANSWERED_IN_SECONDS}"}}[{window}]))'
    return f'1 - {fast} / sum(rate(dctwire_stage_seconds_count{{stage="total"}}[{window}]))'


BANDWIDTH = (
    Question(
        "Bytes a frame by version, everything on the wire",
        _by_version('rate(dctwire_payload_bytes_total{part!="companion"}[1h])', "rate(dctwire_frames_total[1h])"),
        "tables:dctwire_frame_bytes:rate1h",
    ),
    Question(
        "Of them, bytes a frame from the device by part: scan, tables, markers, HTTP",
        'sum by (family, tables, part) (rate(dctwire_payload_bytes_total{part!="companion", direction="in"}[1h])) '
        "/ on (family, tables) group_left () sum by (family, tables) (rate(dctwire_frames_total[1h]))",
        "tables_part:dctwire_frame_bytes:rate1h",
    ),
    Question(
        "Saving by version against ordinary JPEG that devices of the family post",
        '1 - tables:dctwire_frame_bytes:rate1h{tables!="interchange"} / on (family) group_left () '
        'tables:dctwire_frame_bytes:rate1h{tables="interchange"}',
        "tables:dctwire_saving_on_posted:ratio_rate1h",
    ),
    Question(
        "Saving by version against ordinary JPEG of the same pictures, as far as can be told, without HTTP around both",
        "1 - "
        + _by_version("rate(dctwire_baseline_payload_bytes_total[1d])", "rate(dctwire_baseline_bytes_total[1d])"),
        "tables:dctwire_saving_estimated:ratio_rate1d",
    ),
    Question(
        "Bytes of a day by family",
        "sum by (family) (increase(dctwire_payload_bytes_total[1d]))",
    ),
    Question(
        "Bytes a second by route and direction",
        "sum by (direction, route) (rate(dctwire_wire_bytes_total[5m]))",
        "route:dctwire_wire_bytes:rate5m",
    ),
    Question(
        "Bytes of companions (probes, details) beside those of frames",
        'sum by (family) (rate(dctwire_payload_bytes_total{part="companion"}[1h])) '
        "/ sum by (family) (rate(dctwire_payload_bytes_total[1h]))",
    ),
    Question(
        "Scan bytes a frame against what the trainer measured (1: as expected)",
        'sum by (family, tables) (rate(dctwire_payload_bytes_total{part="scan"}[1h])) '
        "/ sum by (family, tables) (rate(dctwire_frames_total[1h])) "
        '/ on (family, tables) max by (family, tables) (dctwire_expected_scan_bytes{quantile="0.5"})',
        "tables:dctwire_scan_bytes_over_expected:ratio_rate1h",
    ),
)

QUALITY = (
    Question(
        "Accuracy by version, of frames whose label is known",
        _by_version('increase(dctwire_feedback_total{correct="true"}[1d])', "increase(dctwire_feedback_total[1d])"),
        "tables:dctwire_accuracy:ratio_increase1d",
    ),
    Question(
        "Accuracy since v7, of frames whose label is known",
        _share(
            'dctwire_feedback_total{correct="true", tables=~"v([7-9]|[1-9][0-9]+)"}',
            'dctwire_feedback_total{tables=~"v([7-9]|[1-9][0-9]+)"}',
            " by (family)",
        ),
    ),
    Question(
        "Accuracy by version without any label, as calibrated confidences tell it",
        _by_version("rate(dctwire_estimated_correct_frames_total[1d])", "rate(dctwire_estimated_frames_total[1d])"),
        "tables:dctwire_estimated_accuracy:ratio_rate1d",
    ),
    Question(
        "Accuracy by version in the random audit of a week, with Wilson's interval",
        "max by (family, tables, bound) (dctwire_audited_accuracy_ratio)",
    ),
    Question(
        "Which signals of the frames drift (1), by version",
        "max by (family, tables, signal) (dctwire_drift_active)",
    ),
    Question(
        "Accuracy that the trainer measured, by version",
        "max by (family, tables) (dctwire_expected_accuracy_ratio)",
    ),
    Question(
        "Share of answers by label",
        "sum by (family, label) (rate(dctwire_predictions_total[1h])) "
        "/ on (family) group_left () sum by (family) (rate(dctwire_predictions_total[1h]))",
        "label:dctwire_predictions:ratio_rate1h",
    ),
    Question(
        "Share of frames that no classifier was trained for (fallback), or that were resized",
        "sum by (family, match) (rate(dctwire_frames_total[5m])) "
        "/ on (family) group_left () sum by (family) (rate(dctwire_frames_total[5m]))",
        "match:dctwire_frames:ratio_rate5m",
    ),
    Question("Frames kept for labelling, by reason", "sum by (family, reason) (increase(dctwire_samples_total[1d]))"),
)

SERVING = (
    Question(
        "Frames answered a second, by version",
        "sum by (family, tables) (rate(dctwire_frames_total[5m]))",
        "tables:dctwire_frames:rate5m",
    ),
    Question(
        "Share of frames rejected, by reason",
        "sum by (reason) (rate(dctwire_rejected_frames_total[5m])) / on () group_left () "
        "(sum(rate(dctwire_frames_total[5m])) + sum(rate(dctwire_rejected_frames_total[5m])))",
        "reason:dctwire_rejected_frames:ratio_rate5m",
    ),
    Question(
        "Uploads a second refused at the door, by reason",
        "sum by (reason) (rate(dctwire_refused_requests_total[5m]))",
        "reason:dctwire_refused_requests:rate5m",
    ),
    Question(
        "99th percentile of an upload's time, from its first byte to its answer, in seconds",
        'histogram_quantile(0.99, sum by (le) (rate(dctwire_stage_seconds_bucket{stage="total"}[5m])))',
        "dctwire:total_seconds:p99_rate5m",
    ),
    Question(
        "99th percentile of each stage, in seconds",
        "histogram_quantile(0.99, sum by (stage, le) (rate(dctwire_stage_seconds_bucket[5m])))",
        "stage:dctwire_stage_seconds:p99_rate5m",
    ),
    Question("Age of the oldest frame that waits, in seconds", "max(dctwire_queue_oldest_seconds)"),
    Question("Frames that wait", "sum(dctwire_queue_depth)"),
    Question(
        "Frames classified together",
        "sum(rate(dctwire_batch_frames_sum[5m])) / sum(rate(dctwire_batch_frames_count[5m]))",
        "dctwire:batch_frames:mean_rate5m",
    ),
    Question(
        "Share of frames that the server owed an answer and did not give (objective: below 0.001)",
        failed("5m"),
        "dctwire:frames_failed:ratio_rate5m",
    ),
    Question(
        f"Share of uploads that took longer than {ANSWERED_IN_SECONDS.removesuffix('.0')} seconds "
        "(objective: below 0.01)",
        slow("5m"),
        "dctwire:uploads_slow:ratio_rate5m",
    ),
)

FLEET = (
    Question("Devices that are let in", "max by (family) (dctwire_devices)"),
    Question("Devices by version of the tables", "max by (family, tables) (dctwire_devices_by_tables)"),
    Question(
        "Devices that were not seen for a day, and for a week", "max by (family, longer_than) (dctwire_devices_silent)"
    ),
    Question(
        "Devices that are at work and run another version than they are told to",
        "max by (family) (dctwire_devices_skewed)",
    ),
    Question("Devices by the version of their program", "max by (version) (dctwire_devices_by_program)"),
    Question("How far a rollout has come, in percent of the family", "max by (family) (dctwire_rollout_percent)"),
    Question(
        "Of the devices that a rollout reached, the share on which the new version is proven",
        'max by (family) (dctwire_rollout_devices{outcome="confirmed"}) '
        "/ max by (family) (dctwire_rollout_exposed_devices)",
    ),
    Question("In which state a rollout is", "max by (family, state) (dctwire_rollout_state) == 1"),
)

TRAINING = (
    Question("In which state a training is", "max by (family, state) (dctwire_trainer_run_state) == 1"),
    Question(
        "Seconds since a training ended so the last time",
        "time() - max by (family, outcome) (dctwire_trainer_last_end_timestamp_seconds)",
    ),
    Question(
        "Trainings of a month, by what came of them",
        "sum by (family, outcome) (increase(dctwire_trainer_runs_total[30d]))",
    ),
    Question(
        "Which gates kept what was trained from the cameras, within a month",
        'sum by (family, gate) (increase(dctwire_trainer_gate_verdicts_total{opinion!="pass"}[30d]))',
    ),
    Question(
        "Hours of training within a month", "sum by (family) (increase(dctwire_trainer_run_seconds_total[30d])) / 3600"
    ),
    Question("Trainings that failed in a row", "max by (family) (dctwire_trainer_failures_in_a_row)"),
    Question(
        "Seconds until a trainer at work is overdue; negative: since when",
        "max by (family) (dctwire_trainer_lease_timestamp_seconds) - time()",
    ),
)

KEEPING = (
    Question(
        "Age of the newest published bundle, in seconds",
        "time() - max by (family) (dctwire_newest_bundle_timestamp_seconds)",
    ),
    Question("Seconds until signed metadata expire", "min by (role) (dctwire_tuf_expiry_timestamp_seconds) - time()"),
    Question("Age of the last backup, in seconds", "time() - max(dctwire_last_backup_timestamp_seconds > 0)"),
    Question(
        "Share of the disk under the data folder that is free",
        "min by (instance) (dctwire_disk_free_bytes / dctwire_disk_size_bytes)",
    ),
    Question("Size of the frames that are kept for labelling, in bytes", "max(dctwire_samples_bytes)"),
    Question("Changes that operators made within a day", "max(delta(dctwire_audit_rows[1d]))"),
    Question("Warnings and errors in the log", "sum by (level, event) (increase(dctwire_log_events_total[1d]))"),
    Question(
        "Age of the oldest change or event that a webhook waits for, in seconds; 0: none waits",
        "time() - min by (endpoint) (dctwire_webhook_oldest_pending_timestamp_seconds) "
        "or max by (endpoint) (dctwire_webhook_pending) == 0",
    ),
    Question("Which version of the server runs where", "dctwire_build_info"),
)

CHAPTERS = {
    "Bandwidth": BANDWIDTH,
    "Quality": QUALITY,
    "Serving": SERVING,
    "Fleet and rollouts": FLEET,
    "Training": TRAINING,
    "Keeping it running": KEEPING,
}
