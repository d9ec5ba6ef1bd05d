"""What the pages of versions say, made of what is known of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud_server.console.device_marks import Mark
from cloud_server.console.expectations import Comparison, comparisons
from cloud_server.console.heat_maps import HeatMap, encoder_facts, rounding_maps, step_maps
from cloud_server.console.rate_accuracy import Kind, Plot, Point, expected_points, measured_points, plot
from cloud_server.console.sections import ROOT
from cloud_server.console.words import count, percent
from cloud_server.fleet.exposure import Exposure
from cloud_server.inference.model_cache import State
from cloud_server.metrics import INTERCHANGE
from cloud_server.registry.measured import Measured
from cloud_server.registry.versions import FallbackVersion, FamilyVersions, Version
from shared.bundle import Expected, Reference

POINTS_MAX = 40
"""So many versions of a family stand on its plot, the newest."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of the list; `published_at` in seconds since 1970."""

    name: str
    address: str
    marks: Sequence[Mark]
    published_at: float
    devices: int
    expected: Expected
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class FallbackRow:
    """A fallback of the list; `published_at` in seconds since 1970."""

    name: str
    address: str
    marks: Sequence[Mark]
    published_at: float


@dataclass(frozen=True, slots=True)
class VersionView:
    """The page of a version."""

    row: VersionRow
    version: Version
    steps: Sequence[HeatMap]
    rounding: Sequence[HeatMap]
    encoder: Sequence[str]
    plot: Plot | None
    comparisons: Sequence[Comparison]
    reference: Sequence[tuple[str, str]]


def tables_of(found: FamilyVersions) -> list[str]:
    """The tables of the versions that stand on the family's plot, and of ordinary JPEG."""
    return [*(f"v{version.bundle.counter}" for version in found.versions[:POINTS_MAX]), INTERCHANGE]


def version_row(version: Version, measured: Mapping[str, Measured]) -> VersionRow:
    """A version as the list has it.

    Args:
        measured: what the field shows, by tables.
    """
    bundle, name = version.bundle, f"v{version.bundle.counter}"
    return VersionRow(
        name=name,
        address=address_of(bundle.family, str(bundle.counter)),
        marks=marks_of(version),
        published_at=version.published_at,
        devices=version.devices,
        expected=bundle.expected,
        measured=measured.get(name),
    )


def fallback_row(fallback: FallbackVersion) -> FallbackRow:
    """A fallback as the list has it."""
    family, _, name = fallback.fallback.name.partition("/")
    marks = [Mark("released: it answers", "good")] if fallback.is_released else [Mark("not released", "quiet")]
    if fallback.loaded.state is State.FAILED:
        marks.append(Mark("cannot be loaded", "bad"))
    if not fallback.is_listed:
        marks.append(Mark("not listed", "quiet"))
    return FallbackRow(name, address_of(family, name), marks, fallback.published_at)


def marks_of(version: Version) -> list[Mark]:
    """Where a version stands, in a few words each."""
    marks = []
    if version.is_assigned:
        marks.append(Mark("assigned", "good"))
    if version.rollout is not None:
        marks.append(Mark(rollout_words(version.rollout), "info"))
    if version.loaded.state is State.FAILED:
        marks.append(Mark("cannot be loaded", "bad"))
    if version.is_below_floor:
        marks.append(Mark("below the floor", "quiet"))
    if not version.is_listed:
        marks.append(Mark("not listed", "quiet"))
    return marks or [Mark("published", "quiet")]


def rollout_words(rollout: Exposure) -> str:
    """How far a rollout has come."""
    if not rollout.reaches:
        return "rollout begun"
    most = max(rollout.reaches, key=lambda reach: reach.percent)
    of = f" of {', '.join(sorted(most.tags))}" if most.tags else ""
    return f"rolled out to {most.percent:g} %{of}"


def family_plot(found: FamilyVersions, measured: Mapping[str, Measured], this: int | None = None) -> Plot | None:
    """The rate-accuracy plot of a family's newest versions; `this`: the counter of the one that it is shown for."""
    shown = [version.bundle for version in found.versions[:POINTS_MAX] if version.bundle.counter != this]
    shown += [version.bundle for version in found.versions if version.bundle.counter == this]
    fallbacks = [
        Point(Kind.FALLBACK, f"fallback on {said.tables}", said.bytes_p50, said.accuracy)
        for each in found.fallbacks
        if each.is_released
        for said in each.fallback.expected
    ]
    expected = expected_points([(bundle.counter, bundle.expected) for bundle in shown], this)
    return plot([*fallbacks, *expected, *measured_points(measured, this)])


def version_view(
    found: FamilyVersions, version: Version, measured: Mapping[str, Measured], reference: Reference | None
) -> VersionView:
    """The page of a version of a family.

    Args:
        measured: what the field shows, by tables.
        reference: what the trainer measured for the server alone.
    """
    bundle = version.bundle
    return VersionView(
        row=version_row(version, measured),
        version=version,
        steps=step_maps(bundle),
        rounding=rounding_maps(bundle),
        encoder=encoder_facts(bundle.settings),
        plot=family_plot(found, measured, bundle.counter),
        comparisons=comparisons(bundle.expected, measured.get(f"v{bundle.counter}")),
        reference=reference_facts(reference),
    )


def reference_facts(reference: Reference | None) -> list[tuple[str, str]]:
    """What the trainer measured for the server alone, each with its heading; what it did not measure is left out."""
    if reference is None:
        return []
    facts = []
    if (gone := reference.disagreement) is not None:
        said = f"On {percent(gone.share)} of {count(gone.n)} held-out pictures v{gone.counter} names another label."
        facts.append(("Disagreement", said))
    if reference.temperature is not None:
        facts.append(("Temperature", f"Confidences are calibrated with {reference.temperature:.3g}."))
    if (drift := reference.drift) is not None:
        signals = ", ".join(name.replace("_", " ") for name in sorted(drift.signals))
        facts.append(("Drift", f"Watched against {count(drift.n)} held-out frames: {signals}."))
    if (baseline := reference.baseline_factor) is not None:
        said = (
            f"JPEG of quality {baseline.quality:g}, corrected by {baseline.factor:.3f} from {count(baseline.n)} frames."
        )
        facts.append(("Ordinary JPEG", said))
    return facts


def address_of(family: str, name: str = "") -> str:
    """The page of a family, or of a version or a fallback of it."""
    return f"{ROOT}/versions/{family}" + (f"/{name}" if name else "")
