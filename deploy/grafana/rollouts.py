"""Rollouts: where each stands, whom it has reached, what its gates say."""

from deploy.grafana.panels import FAMILY, Dashboard, Look, Panel, Row, Unit, one

ROLLOUTS = Dashboard(
    "rollouts",
    "Rollouts",
    "Where each family's rollout stands, whom it has reached, and what its gates say.",
    (
        Row(
            "Where they stand",
            (
                Panel(
                    "State",
                    "Of each family's active rollout; nothing is drawn where there is none.",
                    "dctwire_rollout_state",
                    one(f"max by (family, state) (dctwire_rollout_state{{{FAMILY}}})", "{{family}} {{state}}"),
                    look=Look.STATES,
                    width=12,
                ),
                Panel(
                    "In that state since",
                    "A stage that lasts much longer than its plan says waits for devices or for frames.",
                    "dctwire_rollout_state_timestamp_seconds",
                    one(
                        f"time() - max by (family) (dctwire_rollout_state_timestamp_seconds{{{FAMILY}}})", "{{family}}"
                    ),
                    Unit.SECONDS,
                    Look.NUMBER,
                    width=6,
                ),
                Panel(
                    "Percent of the family",
                    "That the widest stage so far has, of those without tags.",
                    "dctwire_rollout_percent",
                    one(f"max by (family) (dctwire_rollout_percent{{{FAMILY}}})", "{{family}}"),
                    Unit.PERCENT,
                    Look.NUMBER,
                    width=6,
                ),
            ),
        ),
        Row(
            "Devices and gates",
            (
                Panel(
                    "Devices led to the new bundle",
                    "By family.",
                    "dctwire_rollout_exposed_devices",
                    one(f"max by (family) (dctwire_rollout_exposed_devices{{{FAMILY}}})", "{{family}}"),
                ),
                Panel(
                    "What became of it on them",
                    "Confirmed means proven by answered frames; rolled back and rejected count against the gate.",
                    "dctwire_rollout_devices",
                    one(f"max by (family, outcome) (dctwire_rollout_devices{{{FAMILY}}})", "{{family}} {{outcome}}"),
                    look=Look.STACK,
                ),
                Panel(
                    "Bundles on trial",
                    "On devices that were heard of lately, or are silent.",
                    "dctwire_devices_on_trial",
                    one(f"max by (family, heard) (dctwire_devices_on_trial{{{FAMILY}}})", "{{family}} {{heard}}"),
                ),
                Panel(
                    "Verdicts of the gates",
                    "Since the servers started: pass lets a stage go on, hold waits for more frames, fail stops it.",
                    "dctwire_rollout_verdicts_total",
                    one(
                        f"sum by (family, gate, opinion) (dctwire_rollout_verdicts_total{{{FAMILY}}})",
                        "{{family}} {{gate}} {{opinion}}",
                    ),
                    look=Look.BARS,
                    width=12,
                ),
                Panel(
                    "Steps",
                    "States that rollouts came to by themselves since the servers started.",
                    "dctwire_rollout_steps_total",
                    one(
                        f"sum by (family, state) (dctwire_rollout_steps_total{{{FAMILY}}})",
                        "{{family}} {{state}}",
                    ),
                    look=Look.BARS,
                    width=12,
                ),
            ),
        ),
    ),
)
