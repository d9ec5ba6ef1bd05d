"""Metrics of the fleet: what devices send, are held at, and tell of themselves."""

from collections import Counter as Count
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge

from cloud_server.metric_registry import MetricRegistry

PROGRAMS_NAMED_MAX = 20
"""Versions of devices' programs beyond the most frequent so many are counted together as "other"."""


class FleetMetrics(MetricRegistry):
    """What devices send, are held at, and tell of themselves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._devices = Gauge(
            "dctwire_devices_by_tables",
            "Devices by the tables they last sent; without those in quarantine.",
            ["family", "tables"],
            registry=registry,
        )
        self._held = Gauge(
            "dctwire_devices_held",
            "Devices that are pinned or in quarantine.",
            ["family", "kind"],
            registry=registry,
        )
        self._programs = Gauge(
            "dctwire_devices_by_program",
            "Devices by the version of their program, of those that told it within two days.",
            ["version"],
            registry=registry,
        )
        self._outcomes = Gauge(
            "dctwire_devices_by_outcome",
            "Devices by what became of their last update, of those that told it within two days.",
            ["outcome"],
            registry=registry,
        )
        self._stale = Gauge(
            "dctwire_stale_devices",
            "Devices that take no new bundle: the signed metadata they have are expired, as they told within two days.",
            registry=registry,
        )
        self._trials = Gauge(
            "dctwire_devices_on_trial",
            "Devices whose last heartbeat told of a bundle on trial; heard: lately, or silent, for two days.",
            ["family", "heard"],
            registry=registry,
        )
        self._oldest_trial = Gauge(
            "dctwire_oldest_trial_timestamp_seconds",
            "Since when the longest trial lasts of those that a device told of within two days.",
            ["family"],
            registry=registry,
        )
        self._clones = Gauge(
            "dctwire_suspected_clones", "Devices of whose identity there seem to be two.", registry=registry
        )
        self._assignment = Gauge("dctwire_assignment_seq", "Newest assignment's number.", ["family"], registry=registry)
        self._contact(registry)

    def _contact(self, registry: CollectorRegistry) -> None:
        self._enrolled = Gauge(
            "dctwire_devices", "Devices that are let in, seen or not.", ["family"], registry=registry
        )
        self._silent = Gauge(
            "dctwire_devices_silent",
            "Devices that were not seen for a day or a week; those of a week are in both. Revoked ones do not count.",
            ["family", "longer_than"],
            registry=registry,
        )
        self._skewed = Gauge(
            "dctwire_devices_skewed",
            "Devices seen within a day that last sent other tables of ours than they are told to run; held ones aside.",
            ["family"],
            registry=registry,
        )

    def set_fleet(
        self, by_tables: Count[tuple[str, str]], seq_by_family: Mapping[str, int], held: Count[tuple[str, str]]
    ) -> None:
        """Set the gauges that describe the fleet; called before each scrape.

        Args:
            held: devices by (family, kind of hold).
        """
        self._devices.clear()
        self._held.clear()
        for (family, kind), devices in held.items():
            self._held.labels(family, kind).set(devices)
        for (family, tables), devices in by_tables.items():
            self._devices.labels(family, tables).set(devices)
        for family, seq in seq_by_family.items():
            self._assignment.labels(family).set(seq)

    def set_told(self, programs: Count[str], outcomes: Count[str], stale: int, clones: int) -> None:
        """Set the gauges of what devices tell of themselves; called before each scrape."""
        named = dict(programs.most_common(PROGRAMS_NAMED_MAX))
        others = programs.total() - sum(named.values())
        self._programs.clear()
        self._outcomes.clear()
        for program, devices in (named | {"other": others} if others else named).items():
            self._programs.labels(program).set(devices)
        for outcome, devices in outcomes.items():
            self._outcomes.labels(outcome).set(devices)
        self._stale.set(stale)
        self._clones.set(clones)

    def set_contact(
        self, devices: Mapping[str, int], silent: Mapping[tuple[str, str], int], skewed: Mapping[str, int]
    ) -> None:
        """Set the gauges of devices that are not heard, or do not do as told; called before each scrape.

        Args:
            devices: all of them, by family.
            silent: devices by (family, for how long).
            skewed: devices by family.
        """
        for gauge in (self._enrolled, self._silent, self._skewed):
            gauge.clear()
        for family, count in devices.items():
            self._enrolled.labels(family).set(count)
        for (family, longer_than), count in silent.items():
            self._silent.labels(family, longer_than).set(count)
        for family, count in skewed.items():
            self._skewed.labels(family).set(count)

    def set_trials(self, trials: Iterable[tuple[str, int, float | None, int]]) -> None:
        """Set the gauges of bundles that have to prove themselves; called before each scrape.

        Args:
            trials: of a family, how many devices told of one lately, since when the first, and how many fell silent.
        """
        self._trials.clear()
        self._oldest_trial.clear()
        for family, heard, oldest_since, silent in trials:
            self._trials.labels(family, "lately").set(heard)
            self._trials.labels(family, "silent").set(silent)
            if oldest_since is not None:
                self._oldest_trial.labels(family).set(oldest_since)
