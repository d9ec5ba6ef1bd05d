"""Metrics of classifiers: loaded, faulty, stopped, left alone."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry


class ClassifierMetrics(MetricRegistry):
    """What classifiers did, and how they are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._loads = Counter(
            "dctwire_classifier_loads",
            "Classifiers loaded, or found not to load.",
            ["outcome"],
            registry=registry,
        )
        self._classifier_faults = Counter(
            "dctwire_classifier_faults",
            "Frames that a classifier gave no usable answer.",
            ["model"],
            registry=registry,
        )
        self._classifier_stops = Counter(
            "dctwire_classifier_stops",
            "Micro-batches with which a classifier did not come to an end, so that it was told to stop.",
            ["model"],
            registry=registry,
        )
        self.lost_threads = Gauge(
            "dctwire_lost_threads",
            "Threads inside a classifier that did not stop when it was told to.",
            registry=registry,
        )
        self._classifier_failed = Gauge(
            "dctwire_classifier_failed",
            "1 for each classifier that could not be loaded or did not answer, and is left alone for a while.",
            ["model"],
            registry=registry,
        )
        self._evictions = Counter(
            "dctwire_classifier_evictions",
            "Classifiers that made room for others.",
            registry=registry,
        )
        self._classifier_bytes = Gauge(
            "dctwire_classifier_bytes",
            "Memory that a loaded classifier keeps.",
            ["model", "precision"],
            registry=registry,
        )
        self._classifier_batch_max = Gauge(
            "dctwire_classifier_batch_max_frames",
            "Largest batch that pays, found by timing.",
            ["model"],
            registry=registry,
        )

    def count_load(self, *, is_loaded: bool) -> None:
        """Count a classifier that was loaded, or could not be."""
        self._loads.labels("loaded" if is_loaded else "failed").inc()

    def count_classifier_fault(self, model: str) -> None:
        """Count a frame that a classifier gave no usable answer."""
        self._labelled(self._classifier_faults, model).inc()

    def count_classifier_stop(self, model: str) -> None:
        """Count a micro-batch with which a classifier did not come to an end."""
        self._labelled(self._classifier_stops, model).inc()

    def count_eviction(self) -> None:
        """Count a classifier that made room for another."""
        self._evictions.inc()

    def set_classifiers(self, loaded: Iterable[tuple[str, str, int, int]], failed: Iterable[str]) -> None:
        """Set the gauges of classifiers, before each scrape.

        Args:
            loaded: those in memory: model, precision, bytes, largest batch; failed: those left alone, by name.
        """
        self._classifier_failed.clear()
        for model in failed:
            self._classifier_failed.labels(model).set(1)
        self._classifier_bytes.clear()
        self._classifier_batch_max.clear()
        for model, precision, cost_bytes, batch_max in loaded:
            self._classifier_bytes.labels(model, precision).set(cost_bytes)
            self._classifier_batch_max.labels(model).set(batch_max)
            for counter in (self._classifier_stops, self._classifier_faults):
                self._labelled(counter, model)  # 0 until the first one, whose growth is seen then
