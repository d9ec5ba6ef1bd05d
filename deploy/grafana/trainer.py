"""Trainer: whether there is enough to train on, and whether it is time for new tables."""

from deploy.grafana.panels import FAMILY, OF_VERSION, VERSION, Dashboard, Look, Panel, Row, Unit, one

TRAINER = Dashboard(
    "trainer",
    "Trainer",
    "Whether there is enough to train on, and whether it is time for new tables.",
    (
        Row(
            "Bundles",
            (
                Panel(
                    "Age of the newest bundle",
                    "By family. Old is no fault as long as accuracy holds; after three months ask why.",
                    "dctwire_newest_bundle_timestamp_seconds",
                    one(
                        f"time() - max by (family) (dctwire_newest_bundle_timestamp_seconds{{{FAMILY}}})", "{{family}}"
                    ),
                    Unit.SECONDS,
                    Look.NUMBER,
                    limit=90 * 86400,
                ),
                Panel(
                    "Accuracy that the trainer measured",
                    "By version: what each new one was worth.",
                    "dctwire_expected_accuracy_ratio",
                    one(f"max by (family, tables) (dctwire_expected_accuracy_ratio{{{VERSION}}})", OF_VERSION),
                    Unit.SHARE,
                    Look.BARS,
                ),
                Panel(
                    "Scan bytes that the trainer measured",
                    "By version: of the median frame, and of the 95th percentile.",
                    "dctwire_expected_scan_bytes",
                    one(
                        f"max by (family, tables, quantile) (dctwire_expected_scan_bytes{{{VERSION}}})",
                        OF_VERSION + " {{quantile}}",
                    ),
                    Unit.BYTES,
                    Look.BARS,
                ),
            ),
        ),
        Row(
            "Trainings",
            (
                Panel(
                    "Under way",
                    "State of each family's training that has not ended; nothing is drawn where there is none.",
                    "dctwire_trainer_run_state",
                    one(f"max by (family, state) (dctwire_trainer_run_state{{{FAMILY}}})", "{{family}} {{state}}"),
                    look=Look.STATES,
                    width=12,
                ),
                Panel(
                    "Failed in a row",
                    "Trainings that could not be done since one could; at three somebody should look.",
                    "dctwire_trainer_failures_in_a_row",
                    one(f"max by (family) (dctwire_trainer_failures_in_a_row{{{FAMILY}}})", "{{family}}"),
                    look=Look.NUMBER,
                    limit=3,
                    width=6,
                ),
                Panel(
                    "Since the last one ended",
                    "By what came of it.",
                    "dctwire_trainer_last_end_timestamp_seconds",
                    one(
                        f"time() - max by (family, outcome) (dctwire_trainer_last_end_timestamp_seconds{{{FAMILY}}})",
                        "{{family}} {{outcome}}",
                    ),
                    Unit.SECONDS,
                    Look.NUMBER,
                    width=6,
                ),
                Panel(
                    "What came of them",
                    "Trainings that ended within a week.",
                    "dctwire_trainer_runs_total",
                    one(
                        f"sum by (family, outcome) (increase(dctwire_trainer_runs_total{{{FAMILY}}}[7d]))",
                        "{{family}} {{outcome}}",
                    ),
                    look=Look.STACK,
                ),
                Panel(
                    "What gates said",
                    "Of what came of trainings within a week; only what all let through is published.",
                    "dctwire_trainer_gate_verdicts_total",
                    one(
                        "sum by (family, gate, opinion) "
                        f"(increase(dctwire_trainer_gate_verdicts_total{{{FAMILY}}}[7d]))",
                        "{{family}} {{gate}} {{opinion}}",
                    ),
                    look=Look.STACK,
                ),
                Panel(
                    "How long they took",
                    "Trainings that ended within a week, together.",
                    "dctwire_trainer_run_seconds_total",
                    one(f"sum by (family) (increase(dctwire_trainer_run_seconds_total{{{FAMILY}}}[7d]))", "{{family}}"),
                    Unit.SECONDS,
                    look=Look.STACK,
                ),
            ),
        ),
        Row(
            "Whether it is time",
            (
                Panel(
                    "Accuracy below what the trainer measured",
                    "How much of it the estimate has lost, by version: what training anew might win back. Below 0 the "
                    "field is easier than the held-out frames.",
                    "dctwire_estimated_accuracy_ratio",
                    one(
                        f"max by (family, tables) (dctwire_expected_accuracy_ratio{{{VERSION}}})"
                        f" - max by (family, tables) (dctwire_estimated_accuracy_ratio{{{VERSION}}})",
                        OF_VERSION,
                    ),
                    Unit.SHARE,
                    Look.NUMBER,
                    limit=0.05,
                ),
                Panel(
                    "Signals that drift",
                    "How many of a version's; each says that frames are no more like those that were trained on.",
                    "dctwire_drift_active",
                    one(
                        "sum by (family, tables) "
                        f"(max by (family, tables, signal) (dctwire_drift_active{{{VERSION}}}))",
                        OF_VERSION,
                    ),
                    limit=1,
                ),
                Panel(
                    "Scan bytes against what the trainer measured",
                    "1 is as expected; above the line other tables would fit the field better.",
                    "dctwire_expected_scan_bytes",
                    one(f"tables:dctwire_scan_bytes_over_expected:ratio_rate1h{{{VERSION}}}", OF_VERSION),
                    limit=1.3,
                ),
            ),
        ),
        Row(
            "What there is to learn from",
            (
                Panel(
                    "Frames kept in the last day",
                    "By why they were: at random, unsure, rare, contradicted.",
                    "dctwire_samples_total",
                    one(
                        f"sum by (family, reason) (increase(dctwire_samples_total{{{FAMILY}}}[1d]))",
                        "{{family}} {{reason}}",
                    ),
                    look=Look.STACK,
                ),
                Panel(
                    "Frames that were not kept",
                    "Of the last day, though there was a reason to, and why not.",
                    "dctwire_samples_dropped_total",
                    one("sum by (cause) (increase(dctwire_samples_dropped_total[1d]))", "{{cause}}"),
                    look=Look.STACK,
                ),
                Panel(
                    "Size of the kept frames",
                    "All of them together.",
                    "dctwire_samples_bytes",
                    one("max(dctwire_samples_bytes)", "kept"),
                    Unit.BYTES,
                ),
                Panel(
                    "Labels of the last day",
                    "By version of the tables under which the frame came.",
                    "dctwire_feedback_total",
                    one(f"sum by (family, tables) (increase(dctwire_feedback_total{{{VERSION}}}[1d]))", OF_VERSION),
                    look=Look.STACK,
                    width=12,
                ),
                Panel(
                    "Labels that contradict the answer",
                    "As a share of the last day's. The next training learns most from these.",
                    "dctwire_feedback_total",
                    one(f"1 - tables:dctwire_accuracy:ratio_increase1d{{{VERSION}}}", OF_VERSION),
                    Unit.SHARE,
                    width=12,
                ),
            ),
        ),
    ),
)
