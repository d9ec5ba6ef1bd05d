"""Metrics of webhooks: what was told to the endpoints of the server's settings, and what waits for them."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry


class EventMetrics(MetricRegistry):
    """How telling endpoints goes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._deliveries = Counter(
            "dctwire_webhook_deliveries",
            "Tries to tell an endpoint of one thing.",
            ["endpoint", "outcome"],
            registry=registry,
        )
        self._dropped = Counter(
            "dctwire_webhook_dropped",
            "Changes and events that an endpoint will not be told of: they waited for too long.",
            ["endpoint"],
            registry=registry,
        )
        self._pending = Gauge(
            "dctwire_webhook_pending",
            "Changes and events that an endpoint was not told of yet.",
            ["endpoint"],
            registry=registry,
        )
        self._oldest = Gauge(
            "dctwire_webhook_oldest_pending_timestamp_seconds",
            "When the first happened of what waits for an endpoint; no series where nothing does.",
            ["endpoint"],
            registry=registry,
        )

    def set_endpoints(self, endpoints: Iterable[str]) -> None:
        """Say which endpoints there are, so that each is counted from 0."""
        for endpoint in endpoints:
            self._dropped.labels(endpoint)
            for outcome in ("delivered", "failed"):
                self._deliveries.labels(endpoint, outcome)

    def count_delivery(self, endpoint: str, *, is_delivered: bool) -> None:
        """Count a try."""
        self._deliveries.labels(endpoint, "delivered" if is_delivered else "failed").inc()

    def count_dropped(self, endpoint: str, rows: int) -> None:
        """Count what an endpoint will not be told of."""
        self._dropped.labels(endpoint).inc(rows)

    def set_waiting(self, waiting: Iterable[tuple[str, int, int | None]]) -> None:
        """Say what waits: of an endpoint how much, and since when, in milliseconds since 1970."""
        self._oldest.clear()
        for endpoint, pending, oldest_ms in waiting:
            self._pending.labels(endpoint).set(pending)
            if oldest_ms is not None:
                self._oldest.labels(endpoint).set(oldest_ms / 1000)
