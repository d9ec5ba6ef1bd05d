"""What metrics say of published bundles: when each family's newest one came, and what its trainer measured."""

from collections.abc import Iterable, Mapping
from itertools import islice

from cloud_server.registry.catalogue import Registered
from cloud_server.upkeep_metrics import ExpectedFigures
from shared.bundle import Bundle

VERSIONS_NAMED_MAX = 20
"""Of a family's bundles, so many of the newest have figures of their own in metrics."""


def newest_of(registered: Iterable[Registered]) -> Mapping[str, float]:
    """When a bundle was last published for each family, in seconds since 1970."""
    newest: dict[str, float] = {}
    for one in registered:
        if isinstance(one.published, Bundle):
            family = one.published.family
            newest[family] = max(one.registered_at, newest.get(family, 0.0))
    return newest


def expected_of(registered: Iterable[Registered]) -> list[ExpectedFigures]:
    """What the trainer measured of each family's newest bundles, the newest first."""
    by_family: dict[str, list[Bundle]] = {}
    for one in registered:
        if isinstance(one.published, Bundle):
            by_family.setdefault(one.published.family, []).append(one.published)
    return [
        ExpectedFigures(
            family=bundle.family,
            tables=f"v{bundle.counter}",
            scan_bytes_p50=bundle.expected.bytes_p50,
            scan_bytes_p95=bundle.expected.bytes_p95,
            accuracy=bundle.expected.accuracy,
        )
        for bundles in by_family.values()
        for bundle in islice(sorted(bundles, key=lambda bundle: -bundle.counter), VERSIONS_NAMED_MAX)
    ]
