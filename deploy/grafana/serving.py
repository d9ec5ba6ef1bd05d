"""Serving objectives: whether devices get their answers in time, and what stands in the way."""

from deploy.grafana.panels import OF_VERSION, VERSION, Dashboard, Look, Panel, Query, Row, Unit, one

SERVING = Dashboard(
    "serving",
    "Serving objectives",
    "Whether devices get their answers in time, how much of the error budget is left, and what stands in the way.",
    (
        Row(
            "Objectives",
            (
                Panel(
                    "Frames that were owed an answer and got none",
                    "The objective is below 0.1 %. A short window above it is an incident, a long one a trend.",
                    "dctwire_rejected_frames_total",
                    tuple(
                        Query(f"dctwire:frames_failed:ratio_rate{window}", window)
                        for window in ("5m", "1h", "6h", "3d")
                    ),
                    Unit.SHARE,
                    limit=0.001,
                ),
                Panel(
                    "Uploads that took longer than two seconds",
                    "From the first byte to the answer. The objective is below 1 %.",
                    "dctwire_stage_seconds",
                    tuple(
                        Query(f"dctwire:uploads_slow:ratio_rate{window}", window) for window in ("5m", "1h", "6h", "3d")
                    ),
                    Unit.SHARE,
                    limit=0.01,
                ),
                Panel(
                    "Error budget left of three days",
                    "1 is all of it; below 0 the objective is missed.",
                    "dctwire_rejected_frames_total",
                    (
                        Query("1 - dctwire:frames_failed:ratio_rate3d / 0.001", "answers"),
                        Query("1 - dctwire:uploads_slow:ratio_rate3d / 0.01", "latency"),
                    ),
                    Unit.SHARE,
                    Look.NUMBER,
                    limit=0.0,
                    is_bad_below=True,
                ),
            ),
        ),
        Row(
            "Work",
            (
                Panel(
                    "Frames answered a second",
                    "By version of the tables.",
                    "dctwire_frames_total",
                    one(f"tables:dctwire_frames:rate5m{{{VERSION}}}", OF_VERSION),
                    Unit.COUNT_A_SECOND,
                    Look.STACK,
                ),
                Panel(
                    "99th percentile by stage",
                    "Total is an upload's, from its first byte; the others are a micro-batch's.",
                    "dctwire_stage_seconds",
                    one("stage:dctwire_stage_seconds:p99_rate5m", "{{stage}}"),
                    Unit.SECONDS,
                ),
                Panel(
                    "Waiting",
                    "How long the oldest frame has waited. Steady seconds mean that the server is too small.",
                    "dctwire_queue_oldest_seconds",
                    one("max by (instance) (dctwire_queue_oldest_seconds)", "{{instance}}"),
                    Unit.SECONDS,
                    limit=1.0,
                ),
                Panel(
                    "Frames that wait",
                    "By server process.",
                    "dctwire_queue_depth",
                    one("max by (instance) (dctwire_queue_depth)", "{{instance}}"),
                ),
                Panel(
                    "Frames classified together",
                    "Grows with load: larger micro-batches cost less a frame.",
                    "dctwire_batch_frames",
                    one("dctwire:batch_frames:mean_rate5m", "frames"),
                ),
                Panel(
                    "Memory of classifiers",
                    "Each that is loaded, and in which precision it computes.",
                    "dctwire_classifier_bytes",
                    one("sum by (model, precision) (dctwire_classifier_bytes)", "{{model}} {{precision}}"),
                    Unit.BYTES,
                    Look.STACK,
                ),
            ),
        ),
        Row(
            "What is refused, and what fails",
            (
                Panel(
                    "Share of frames rejected",
                    "By reason: a problem code. Corrupt frames are the cameras' fault, full queues the server's.",
                    "dctwire_rejected_frames_total",
                    one("reason:dctwire_rejected_frames:ratio_rate5m", "{{reason}}"),
                    Unit.SHARE,
                    Look.STACK,
                ),
                Panel(
                    "Uploads refused at the door",
                    "Before their frames were known.",
                    "dctwire_refused_requests_total",
                    one("reason:dctwire_refused_requests:rate5m", "{{reason}}"),
                    Unit.COUNT_A_SECOND,
                    Look.STACK,
                ),
                Panel(
                    "Classifiers stopped",
                    "Micro-batches of the last hour with which a classifier did not come to an end.",
                    "dctwire_classifier_stops_total",
                    one("sum by (model) (increase(dctwire_classifier_stops_total[1h]))", "{{model}}"),
                    limit=1,
                ),
                Panel(
                    "Complaints in the log",
                    "Warnings and errors of the last hour, by event.",
                    "dctwire_log_events_total",
                    one("sum by (level, event) (increase(dctwire_log_events_total[1h])) > 0", "{{level}} {{event}}"),
                    look=Look.BARS,
                ),
                Panel(
                    "Room on the disk",
                    "Under the data folder, as a share.",
                    "dctwire_disk_free_bytes",
                    one("min by (instance) (dctwire_disk_free_bytes / dctwire_disk_size_bytes)", "{{instance}}"),
                    Unit.SHARE,
                    Look.NUMBER,
                    limit=0.15,
                    is_bad_below=True,
                    width=4,
                ),
                Panel(
                    "Until metadata expire",
                    "Devices take no new tables once they have. Renew with dctwire trust renew.",
                    "dctwire_tuf_expiry_timestamp_seconds",
                    one("min by (role) (dctwire_tuf_expiry_timestamp_seconds) - time()", "{{role}}"),
                    Unit.SECONDS,
                    Look.NUMBER,
                    limit=3 * 3600,
                    is_bad_below=True,
                    width=4,
                ),
                Panel(
                    "Webhooks wait",
                    "Changes and events that an endpoint was not told of yet.",
                    "dctwire_webhook_pending",
                    one("max by (endpoint) (dctwire_webhook_pending)", "{{endpoint}}"),
                    width=4,
                ),
                Panel(
                    "Age of the last backup",
                    "By dctwire-server backup. No data: there never was one.",
                    "dctwire_last_backup_timestamp_seconds",
                    one("time() - max(dctwire_last_backup_timestamp_seconds > 0)", "last backup"),
                    Unit.SECONDS,
                    Look.NUMBER,
                    limit=2 * 86400,
                    width=4,
                ),
            ),
        ),
    ),
)
