"""The rows of the operator plane's lists: what is published, and the devices. Times are seconds since 1970."""

from pydantic import Field

from cloud_server.api.operator.commands import Message
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices
from cloud_server.inference.model_cache import ModelCache, State
from cloud_server.inference.precision import Precision
from cloud_server.registry.catalogue import Registered
from shared.bundle import Bundle, Expected


class FallbackRow(Message):
    """A published fallback; figures of its classifier only while it is in memory."""

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


class BundleRow(FallbackRow):
    """A published bundle; figures of its classifier only while it is in memory."""

    counter: int
    min_counter: int
    tables_id: str
    quant_id: str
    expected: Expected
    is_assigned: bool = Field(description="Whether it is the bundle that the family's devices should run.")


class BundleList(Message):
    """Every bundle."""

    bundles: tuple[BundleRow, ...]


class FallbackList(Message):
    """Every fallback."""

    fallbacks: tuple[FallbackRow, ...]


class DeviceRow(Message):
    """A device."""

    device_id: str
    family: str
    enrolled_at: float
    last_seen_at: float | None
    last_tables: str | None
    assignment_seq: int
    revoked_at: float | None = Field(description="Since when its token is refused.")


class DeviceList(Message):
    """Every device."""

    devices: tuple[DeviceRow, ...]


def bundle_row(registered: Registered, models: ModelCache, assignments: Assignments) -> BundleRow:
    """The row of one bundle, its classifier as this process has it."""
    bundle = registered.published
    assert isinstance(bundle, Bundle)
    assigned = assignments.of_family(bundle.family)
    return BundleRow(
        **dict(fallback_row(registered, models)),
        counter=bundle.counter,
        min_counter=bundle.min_counter,
        tables_id=bundle.tables.tables_id,
        quant_id=bundle.tables.quant_id,
        expected=bundle.expected,
        is_assigned=assigned is not None and assigned.counter == bundle.counter,
    )


def fallback_row(registered: Registered, models: ModelCache) -> FallbackRow:
    """The row of one fallback, its classifier as this process has it; also what a bundle's row begins with."""
    published = registered.published
    failure, model = models.failure(published), models.peek(published)
    return FallbackRow(
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
    )


def device_row(device: Device, devices: Devices, assignments: Assignments) -> DeviceRow:
    """The row of one device."""
    return DeviceRow(
        device_id=device.public_id,
        family=device.family,
        enrolled_at=device.enrolled_at,
        last_seen_at=device.last_seen_at,
        last_tables=device.last_tables,
        assignment_seq=assignments.seq(device),
        revoked_at=devices.revoked_at(device),
    )
