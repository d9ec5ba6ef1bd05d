"""Metrics of what keeps a server well: room on the disk, backups, new bundles, and what its log complains of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry


@dataclass(frozen=True, slots=True)
class ExpectedFigures:
    """What the trainer measured of a version: scan bytes a frame, half and 95 % of frames have less; accuracy, 0..1."""

    family: str
    tables: str
    scan_bytes_p50: float
    scan_bytes_p95: float
    accuracy: float


class UpkeepMetrics(MetricRegistry):
    """What somebody has to look after from time to time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.disk_free = Gauge(
            "dctwire_disk_free_bytes", "Room on the file system of the data folder.", registry=registry
        )
        self.disk_size = Gauge(
            "dctwire_disk_size_bytes", "Size of the file system of the data folder.", registry=registry
        )
        self.last_backup = Gauge(
            "dctwire_last_backup_timestamp_seconds",
            "When `dctwire-server backup` last saved this data folder, in seconds since 1970; 0: never.",
            registry=registry,
        )
        self._newest_bundle = Gauge(
            "dctwire_newest_bundle_timestamp_seconds",
            "When a bundle was last published for a family, in seconds since 1970.",
            ["family"],
            registry=registry,
        )
        self._expected_bytes = Gauge(
            "dctwire_expected_scan_bytes",
            "Scan bytes a frame that the trainer measured: of the median frame, and of the 95th percentile.",
            ["family", "tables", "quantile"],
            registry=registry,
        )
        self._expected_accuracy = Gauge(
            "dctwire_expected_accuracy_ratio",
            "Accuracy that the trainer measured on held-out frames.",
            ["family", "tables"],
            registry=registry,
        )
        self._log_events = Counter(
            "dctwire_log_events", "Warnings and errors in the log.", ["level", "event"], registry=registry
        )
        self._log_lines_dropped = Counter(
            "dctwire_log_lines_dropped",
            "Lines of the log that nobody could read: too many at once, or a reader that stopped.",
            registry=registry,
        )
        self._log_counted: dict[tuple[str, str], int] = {}
        self._log_dropped = 0

    def set_published(self, newest: Mapping[str, float], expected: Iterable[ExpectedFigures]) -> None:
        """Set the gauges of what was published, before each scrape.

        Args:
            newest: when each family's newest bundle was published, in seconds since 1970.
        """
        for family, published_at in newest.items():
            self._newest_bundle.labels(family).set(published_at)
        self._expected_bytes.clear()
        self._expected_accuracy.clear()
        for one in expected:
            self._expected_bytes.labels(one.family, one.tables, "0.5").set(one.scan_bytes_p50)
            self._expected_bytes.labels(one.family, one.tables, "0.95").set(one.scan_bytes_p95)
            self._expected_accuracy.labels(one.family, one.tables).set(one.accuracy)

    def take_log(self, events: Mapping[tuple[str, str], int], dropped: int) -> None:
        """Count what the log has had since it was asked last, before each scrape.

        Args:
            events: lines so far, by (level, event).
            dropped: lines so far that were lost.
        """
        for key, lines in events.items():
            self._labelled(self._log_events, *key).inc(lines - self._log_counted.get(key, 0))
        self._log_counted = dict(events)
        self._log_lines_dropped.inc(dropped - self._log_dropped)
        self._log_dropped = dropped
