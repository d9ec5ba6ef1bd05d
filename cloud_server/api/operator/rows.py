"""The rows of the lists of what is published. Times are seconds since 1970."""

from collections.abc import Collection, Mapping
from typing import Self

from pydantic import Field

from cloud_server.api.operator.commands import Message
from cloud_server.fleet.assignments import Assignments
from cloud_server.inference.model_cache import ModelCache, State
from cloud_server.inference.precision import Precision
from cloud_server.registry.catalogue import Catalogue, Registered
from cloud_server.registry.floor import BelowFloor
from shared.bundle import Bundle, Expected


class PublishedRow(Message):
    """What is published; figures of its classifier only while it is in memory."""

    name: str
    family: str
    width: int
    height: int
    classifier_sha256: str
    registered_at: float
    state: State
    failure: str | None = Field(description="Why the classifier could not be loaded the last time.")
    precision: Precision | None
    batch_max: int | None
    memory_bytes: int | None
    is_listed: bool = Field(
        description="Whether the family's signed targets list it, so that it can be assigned or released."
    )


class FallbackRow(PublishedRow):
    """A published fallback; figures of its classifier only while it is in memory."""

    is_released: bool = Field(description="Whether it answers the family's frames of unknown tables.")


class BundleRow(PublishedRow):
    """A published bundle; figures of its classifier only while it is in memory."""

    counter: int
    min_counter: int
    tables_id: str
    quant_id: str
    expected: Expected
    is_assigned: bool = Field(description="Whether it is the bundle that the family's devices should run.")
    is_below_floor: bool = Field(
        description="Whether its counter is below the family's floor: no device takes it anew."
    )


class BundleList(Message):
    """A page of bundles; `next` is where the following one begins (`after`), null at the end."""

    bundles: tuple[BundleRow, ...]
    next: str | None


class BelowFloorRow(Message):
    """What of a family is assigned below its floor: new and damaged devices get no tables from it."""

    floor: int = Field(description="The lowest counter that devices still take; 0 before the first publication.")
    assigned: int | None = Field(description="What the family is assigned, where that is below; else null.")
    pinned: int = Field(description="How many devices are pinned below it.")
    quarantined: int = Field(description="How many are held below it in quarantine.")
    devices: tuple[str, ...] = Field(description="The first twenty of both.")
    led_to: int | None = Field(description="To which bundle an active rollout leads, where that is below; else null.")
    rollout: str | None = Field(
        description="This rollout, where that, or what the family is assigned meanwhile, is below; else null."
    )

    @classmethod
    def of(cls, below: BelowFloor) -> Self:
        """The row."""
        return cls(**{name: getattr(below, name) for name in cls.model_fields})


class FallbackList(Message):
    """Every fallback."""

    fallbacks: tuple[FallbackRow, ...]


def bundle_row(
    registered: Registered,
    models: ModelCache,
    assignments: Assignments,
    listed: Collection[str],
    floors: Mapping[str, int],
) -> BundleRow:
    """The row of one bundle, its classifier as this process has it.

    Args:
        listed: the target paths that are signed now.
        floors: by family, as signed now.
    """
    bundle = registered.published
    assert isinstance(bundle, Bundle)
    assigned = assignments.of_family(bundle.family)
    return BundleRow(
        **dict(_published_row(registered, models, listed)),
        counter=bundle.counter,
        min_counter=bundle.min_counter,
        tables_id=bundle.tables.tables_id,
        quant_id=bundle.tables.quant_id,
        expected=bundle.expected,
        is_assigned=assigned is not None and assigned.counter == bundle.counter,
        is_below_floor=bundle.counter < floors.get(bundle.family, 0),
    )


def fallback_rows(catalogue: Catalogue, models: ModelCache, listed: Collection[str]) -> tuple[FallbackRow, ...]:
    """The rows of all fallbacks, their classifiers as this process has them; `listed` as for `bundle_row`."""
    released = set(catalogue.released.values())
    return tuple(
        FallbackRow(**dict(_published_row(one, models, listed)), is_released=one.published.name in released)
        for one in catalogue.fallbacks()
    )


def _published_row(registered: Registered, models: ModelCache, listed: Collection[str]) -> PublishedRow:
    """What the rows of bundles and fallbacks begin with."""
    published = registered.published
    failure, model = models.failure(published), models.peek(published)
    return PublishedRow(
        name=published.name,
        family=published.family,
        width=published.input.width,
        height=published.input.height,
        classifier_sha256=published.classifier.sha256,
        registered_at=registered.registered_at,
        state=models.state(published),
        failure=None if failure is None else str(failure),
        precision=None if model is None else model.precision,
        batch_max=None if model is None else model.classifier.batch_max,
        memory_bytes=None if model is None else model.cost_bytes,
        is_listed=published.target_path in listed,
    )
