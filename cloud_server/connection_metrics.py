"""Metrics of connections: refused, without TLS; and of the server's certificate."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud_server.metric_registry import MetricRegistry


class ConnectionMetrics(MetricRegistry):
    """Connections that were refused, and what a server shows of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._refused_connections = Counter(
            "dctwire_refused_connections", "Connections that were refused when they were made.", registry=registry
        )
        self._displaced_requests = Counter(
            "dctwire_displaced_requests",
            "Requests that were cut off because a new connection needed the place of theirs.",
            registry=registry,
        )
        self._failed_handshakes = Counter(
            "dctwire_failed_handshakes",
            "Connections to the device plane on which no TLS came about.",
            registry=registry,
        )
        self.certificate_expiry = Gauge(
            "dctwire_certificate_expiry_seconds", "When the TLS certificate ends, since 1970.", registry=registry
        )
        self.certificate_failures = Gauge(
            "dctwire_certificate_failures",
            "How often changed certificate files could not be used.",
            registry=registry,
        )
        self._plane_open = Gauge(
            "dctwire_plane_open",
            "1 for a plane that other machines reach without TLS, with no proxy stated.",
            ["plane"],
            registry=registry,
        )

    def count_refused_connection(self) -> None:
        """Count a connection that was one too many."""
        self._refused_connections.inc()

    def count_displaced_request(self) -> None:
        """Count a request that was cut off for a new connection."""
        self._displaced_requests.inc()

    def count_failed_handshake(self) -> None:
        """Count a connection on which no TLS came about."""
        self._failed_handshakes.inc()

    def set_open_planes(self, planes: Mapping[str, bool]) -> None:
        """Set which planes are reached by other machines without TLS."""
        for plane, is_open in planes.items():
            self._plane_open.labels(plane).set(is_open)
