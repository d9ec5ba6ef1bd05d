"""The server with nothing that only watches, for the control of `benchmarks.monitoring_cost`.

Nothing is counted of a frame and its request for metrics, nothing watches for drift, estimates accuracy, weighs frames
against ordinary JPEG, holds the latest frames for people, or sums up what devices send a day. All else is as it is:
frames are classified, stored and sampled, the hourly sums of reports are kept.
"""

from collections.abc import Callable, Iterable
from typing import Any

from cloud_server import command, parts
from cloud_server.answered import Observer, Observers
from cloud_server.fleet.traffic import Traffic
from cloud_server.metrics import Metrics

WATCHING = frozenset({"metrics", "latest frames", "companions", "drift", "estimates", "baselines"})
"""The observers that change nothing of what is answered, kept or reported."""


class UncountedMetrics(Metrics):
    """Counts nothing on a frame's way."""

    def count_exchange(self, *_: Any) -> None:
        """Nothing."""

    def observe(self, *_: Any) -> None:
        """Nothing."""

    def observe_batch(self, *_: Any) -> None:
        """Nothing."""

    def count_sample(self, *_: Any) -> None:
        """Nothing."""

    def count_sample_dropped(self, *_: Any) -> None:
        """Nothing."""


class FewerObservers(Observers):
    """Tells only those who do more than watch."""

    def __init__(self, observers: Iterable[Observer], count_fault: Callable[[str], None]) -> None:
        all_of_them = tuple(observers)
        assert {one.name for one in all_of_them} >= WATCHING, "an observer has another name now"
        super().__init__([one for one in all_of_them if one.name not in WATCHING], count_fault)


class UnnotedTraffic(Traffic):
    """Sums up nothing."""

    def add(self, *_: Any) -> None:
        """Nothing."""


def main() -> None:
    """`dctwire-server` without monitoring."""
    parts.Metrics = UncountedMetrics  # type: ignore[attr-defined]
    parts.Observers = FewerObservers  # type: ignore[attr-defined]
    parts.Traffic = UnnotedTraffic  # type: ignore[attr-defined]
    command.main()
