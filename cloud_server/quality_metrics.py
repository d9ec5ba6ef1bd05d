"""Metrics of accuracy without labels, of the random audit, and of what ordinary JPEG would have cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry

BOUNDS = ("share", "low", "high")
"""What is told of an audit."""


@dataclass(frozen=True, slots=True)
class AccuracyFigures:
    """What is known of a version's accuracy lately, as shares from 0 to 1.

    Args:
        estimated: the mean calibrated confidence; None: no frame has one.
        audited, low, high: the share of right answers in the random audit with Wilson's interval; None: no frame.
        gap: how far the estimate lies above the interval, or below it (negative); None: too few were audited to say.
    """

    family: str
    tables: str
    estimated: float | None
    audited: float | None
    low: float | None
    high: float | None
    gap: float | None


class QualityMetrics(MetricRegistry):
    """How accurate answers are, and what is saved."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        version = ["family", "tables"]
        self._estimated_frames = Counter(
            "dctwire_estimated_frames",
            "Frames whose calibrated confidence tells the accuracy.",
            version,
            registry=registry,
        )
        self._estimated_correct = Counter(
            "dctwire_estimated_correct_frames",
            "How many of dctwire_estimated_frames_total are right, as far as confidences tell: their sum.",
            version,
            registry=registry,
        )
        self._estimated = Gauge(
            "dctwire_estimated_accuracy_ratio",
            "Mean calibrated confidence over a week.",
            version,
            registry=registry,
        )
        self._audited_frames = Counter(
            "dctwire_audited_frames",
            "Frames of the random audit that have a label.",
            [*version, "match", "correct"],
            registry=registry,
        )
        self._audited = Gauge(
            "dctwire_audited_accuracy_ratio",
            "Share of right answers in the random audit of a week, and the ends of Wilson's 95 % interval.",
            [*version, "bound"],
            registry=registry,
        )
        self._gap = Gauge(
            "dctwire_accuracy_gap_ratio",
            "How far the estimate of a week lies above the audit's interval, or below (negative); 0 within.",
            version,
            registry=registry,
        )
        self._baselines(registry, version)

    def _baselines(self, registry: CollectorRegistry, version: list[str]) -> None:
        self._baseline_frames = Counter(
            "dctwire_baseline_frames",
            "Frames of which it was found out what ordinary JPEG would have cost.",
            version,
            registry=registry,
        )
        self._baseline_bytes = Counter(
            "dctwire_baseline_bytes",
            "What ordinary JPEG files of these frames would have cost, without HTTP around them.",
            version,
            registry=registry,
        )
        self._baseline_payload = Counter(
            "dctwire_baseline_payload_bytes",
            "What these same frames cost, each a JPEG of its own, without HTTP around them.",
            version,
            registry=registry,
        )
        self._baselines_dropped = Counter(
            "dctwire_baselines_dropped",
            "Frames that were chosen for it and not measured, and why not.",
            ["cause"],
            registry=registry,
        )

    def count_estimated(self, family: str, tables: str, frames: int, confidences: float) -> None:
        """Count frames and the sum of their calibrated confidences."""
        self._labelled(self._estimated_frames, family, tables).inc(frames)
        self._labelled(self._estimated_correct, family, tables).inc(confidences)

    def count_audited(self, family: str, tables: str, match: str, *, is_correct: bool) -> None:
        """Count a frame's first label from the random audit."""
        self._labelled(self._audited_frames, family, tables, match, "true" if is_correct else "false").inc()

    def set_accuracies(self, figures: Sequence[AccuracyFigures]) -> None:
        """Say what is known lately; what nothing is known of has no series."""
        for gauge in (self._estimated, self._audited, self._gap):
            gauge.clear()
        for one in figures:
            version = one.family, one.tables
            if one.estimated is not None:
                self._estimated.labels(*version).set(one.estimated)
            if one.gap is not None:
                self._gap.labels(*version).set(one.gap)
            for bound, value in zip(BOUNDS, (one.audited, one.low, one.high), strict=True):
                if value is not None:
                    self._audited.labels(*version, bound).set(value)

    def count_baselines(
        self, family: str, tables: str, *, frames: int, payload_bytes: int, baseline_bytes: int
    ) -> None:
        """Count frames of which it was found out what ordinary JPEG would have cost."""
        self._labelled(self._baseline_frames, family, tables).inc(frames)
        self._labelled(self._baseline_payload, family, tables).inc(payload_bytes)
        self._labelled(self._baseline_bytes, family, tables).inc(baseline_bytes)

    def count_baseline_dropped(self, cause: str) -> None:
        """Count a chosen frame that was not measured; `cause` is one of `quality.baselines.Dropped`."""
        self._labelled(self._baselines_dropped, cause).inc()
