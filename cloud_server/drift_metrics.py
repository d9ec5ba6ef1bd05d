"""Metrics of drift: how far the frames of late are from what the trainer measured, and which signals drift."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry


@dataclass(frozen=True, slots=True)
class DriftFigures:
    """How a signal of a version stands, as this process sees it.

    Args:
        score: None as long as too few frames were seen.
        since: when the drift that lasts began, in seconds since 1970; None: none does.
    """

    family: str
    tables: str
    signal: str
    score: float | None
    since: float | None


class DriftMetrics(MetricRegistry):
    """What is watched, by version and signal; a process watches a bounded number of versions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        labels = ["family", "tables", "signal"]
        self._drift_score = Gauge(
            "dctwire_drift_score",
            "Population stability index of about the last 1,000 frames that were watched, against held-out frames.",
            labels,
            registry=registry,
        )
        self._drift_active = Gauge(
            "dctwire_drift_active", "Whether a signal drifts (0 or 1).", labels, registry=registry
        )
        self._drift_since = Gauge(
            "dctwire_drift_since_timestamp_seconds",
            "Since when a signal drifts, in seconds since 1970; signals that do not have no series.",
            labels,
            registry=registry,
        )
        self._drift_alarms = Counter("dctwire_drift_alarms", "Drifts that began.", labels, registry=registry)
        self._drift_frames = Counter(
            "dctwire_drift_frames", "Frames that were watched for drift.", ["family", "tables"], registry=registry
        )

    def expect_drift(self, family: str, tables: str, signals: Iterable[str]) -> None:
        """Have the counters of a version at 0, so that the first alarm is seen as growth."""
        self._labelled(self._drift_frames, family, tables)
        for signal in signals:
            self._labelled(self._drift_alarms, family, tables, signal)

    def count_drift_frames(self, family: str, tables: str, frames: int) -> None:
        """Count frames that were watched."""
        self._labelled(self._drift_frames, family, tables).inc(frames)

    def count_drift(self, family: str, tables: str, signal: str) -> None:
        """Count a drift that began."""
        self._labelled(self._drift_alarms, family, tables, signal).inc()

    def set_drift(self, figures: Iterable[DriftFigures]) -> None:
        """Set the gauges, before each scrape; versions that are not watched any more have no series."""
        for gauge in (self._drift_score, self._drift_active, self._drift_since):
            gauge.clear()
        for one in figures:
            labels = one.family, one.tables, one.signal
            self._drift_active.labels(*labels).set(one.since is not None)
            if one.score is not None:
                self._drift_score.labels(*labels).set(one.score)
            if one.since is not None:
                self._drift_since.labels(*labels).set(one.since)
