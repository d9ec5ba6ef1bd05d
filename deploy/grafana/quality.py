"""Quality: whether answers are right, and whether the field still shows what was trained on."""

from deploy.grafana.panels import FAMILY, OF_VERSION, VERSION, Dashboard, Look, Panel, Row, Unit, one

QUALITY = Dashboard(
    "quality",
    "Quality",
    "Whether answers are right, by version, and whether the field still shows what the classifier was trained on.",
    (
        Row(
            "Accuracy",
            (
                Panel(
                    "Accuracy of labelled frames",
                    "Of the last day, by version; labels of the random audit and of devices alike.",
                    "dctwire_feedback_total",
                    one(f"tables:dctwire_accuracy:ratio_increase1d{{{VERSION}}}", OF_VERSION),
                    Unit.SHARE,
                ),
                Panel(
                    "Accuracy without any label",
                    "Estimated from calibrated confidences of the last day, by version. It holds while frames are like "
                    "those that were trained on; the panel beside tells.",
                    "dctwire_estimated_correct_frames_total",
                    one(f"tables:dctwire_estimated_accuracy:ratio_rate1d{{{VERSION}}}", OF_VERSION),
                    Unit.SHARE,
                ),
                Panel(
                    "Accuracy in the random audit",
                    "Of a week, by version, with Wilson's 95 % interval from low to high: the truth lies between. An "
                    "estimate outside of it is none.",
                    "dctwire_audited_accuracy_ratio",
                    one(
                        f"max by (family, tables, bound) (dctwire_audited_accuracy_ratio{{{VERSION}}})",
                        OF_VERSION + " {{bound}}",
                    ),
                    Unit.SHARE,
                ),
                Panel(
                    "What the trainer measured",
                    "On held-out frames, by version: what the panels above should come near.",
                    "dctwire_expected_accuracy_ratio",
                    one(f"max by (family, tables) (dctwire_expected_accuracy_ratio{{{VERSION}}})", OF_VERSION),
                    Unit.SHARE,
                    Look.BARS,
                    width=6,
                ),
                Panel(
                    "Labelled frames of the last day",
                    "How much the accuracy rests on; below some hundreds it is a guess.",
                    "dctwire_feedback_total",
                    one(
                        f"sum by (family, tables) (increase(dctwire_feedback_total{{{VERSION}}}[1d]))",
                        OF_VERSION,
                    ),
                    look=Look.BARS,
                    width=6,
                ),
                Panel(
                    "Audited frames of the last day",
                    "Those are drawn at random, so that they speak for all; a hundred a week are the least.",
                    "dctwire_audited_frames_total",
                    one(
                        f"sum by (family, tables) (increase(dctwire_audited_frames_total{{{VERSION}}}[1d]))",
                        OF_VERSION,
                    ),
                    look=Look.BARS,
                    width=6,
                ),
                Panel(
                    "Estimate outside of the audit's interval",
                    "By how much, up or down; 0 is inside. Above the line do not rely on the estimate.",
                    "dctwire_accuracy_gap_ratio",
                    one(f"max by (family, tables) (abs(dctwire_accuracy_gap_ratio{{{VERSION}}}))", OF_VERSION),
                    Unit.SHARE,
                    limit=0.05,
                    width=6,
                ),
            ),
        ),
        Row(
            "Drift",
            (
                Panel(
                    "How far frames are from those that were trained on",
                    "Population stability index by signal, of about the last 1,000 watched frames: 0.1 is worth a "
                    "look, 0.25 a change; none before 200 frames.",
                    "dctwire_drift_score",
                    one(
                        f"max by (family, tables, signal) (dctwire_drift_score{{{VERSION}}})",
                        OF_VERSION + " {{signal}}",
                    ),
                    width=12,
                ),
                Panel(
                    "Which signals drift",
                    "Red where a sequential test says so, which errs at most once in 100,000 frames.",
                    "dctwire_drift_active",
                    one(
                        f"max by (family, tables, signal) (dctwire_drift_active{{{VERSION}}})",
                        OF_VERSION + " {{signal}}",
                    ),
                    look=Look.STATES,
                    limit=1,
                ),
                Panel(
                    "Frames watched in the last hour",
                    "Where there are none, nothing is known of drift.",
                    "dctwire_drift_frames_total",
                    one(f"sum by (family, tables) (increase(dctwire_drift_frames_total{{{VERSION}}}[1h]))", OF_VERSION),
                    look=Look.BARS,
                    width=4,
                ),
            ),
        ),
        Row(
            "What is answered",
            (
                Panel(
                    "Share of answers by label",
                    "Of the last hour. A label that grows or goes without a reason is a first sign of drift.",
                    "dctwire_predictions_total",
                    one(f"label:dctwire_predictions:ratio_rate1h{{{FAMILY}}}", "{{family}} {{label}}"),
                    Unit.SHARE,
                    Look.STACK,
                    width=12,
                ),
                Panel(
                    "How frames matched",
                    "Exact is what devices with tables send; a fallback answers what came with unknown ones.",
                    "dctwire_frames_total",
                    one(f"match:dctwire_frames:ratio_rate5m{{{FAMILY}}}", "{{family}} {{match}}"),
                    Unit.SHARE,
                    Look.STACK,
                    width=12,
                ),
            ),
        ),
    ),
)
