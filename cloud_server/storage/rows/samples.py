"""Rows of samples, the frames that were kept; times are seconds since 1970."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.rows import sample_files as files
from cloud_server.storage.schema import devices, labels, results, sample_files, samples
from shared.wire import Kind


class NewSample(NamedTuple):
    """A sample to be stored, its fields the table's columns."""

    device_id: int
    sequence: int
    family: str
    reason: str
    sha256: str
    stored_at: float


class SampleRow(NamedTuple):
    """A sample with its answer, and with its label where there is one: a detail's is that of its frame.

    Args:
        kind: a companion's; None: the frame is none.
        companion_of: a companion's: the sequence of the frame that it belongs to.
        authority: of the label.
    """

    id: int
    public_id: str
    sequence: int
    family: str
    reason: str
    stored_at: float
    sha256: str
    bytes: int
    answer: str
    confidence: float
    model: str
    match: str
    tables: str
    received_at_ns: int
    kind: str | None
    companion_of: int | None
    label: str | None
    source: str | None
    is_correct: bool | None
    is_foreign: bool | None
    labelled_at: float | None
    labelled_by: str | None
    authority: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleQuery:
    """Which samples are asked for; None: all. `until` is not included; `before` is a sample's row."""

    family: str | None = None
    reason: str | None = None
    is_detail: bool | None = None
    is_labelled: bool | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None


def is_there(connection: Connection, device_id: int, sequence: int) -> bool:
    """Whether a frame is among the samples."""
    return bool(connection.execute(select(exists().where(_of(device_id, sequence)))).scalar_one())


def reason_of(connection: Connection, device_id: int, sequence: int) -> str | None:
    """Why a frame is among the samples; None: it is not."""
    found = connection.execute(select(samples.c.reason).where(_of(device_id, sequence))).scalar_one_or_none()
    return None if found is None else str(found)


def has_detail(connection: Connection, device_id: int, sequence: int) -> bool:
    """Whether a detail of a device's frame is among the samples."""
    answered = (results.c.device_id == samples.c.device_id) & (results.c.sequence == samples.c.sequence)
    of_frame = (samples.c.device_id == device_id) & (results.c.companion_of == sequence)
    found = exists().where(answered, of_frame, samples.c.reason == Kind.DETAIL.value)
    return bool(connection.execute(select(found)).scalar_one())


def count(
    connection: Connection, family: str, reason: str, since: float, until: float, device_id: int | None = None
) -> int:
    """How many samples of a family and a reason were stored in a time; `until` is not included.

    Args:
        device_id: of this device alone; None: of all.
    """
    counted = (samples.c.family == family) & (samples.c.reason == reason)
    if device_id is not None:
        counted &= samples.c.device_id == device_id
    window = (samples.c.stored_at >= since) & (samples.c.stored_at < until)
    return int(connection.execute(select(func.count()).where(counted, window)).scalar_one())


def add(connection: Connection, row: NewSample) -> bool:
    """Store a sample; False when the frame is among the samples already."""
    return connection.execute(insert_or_ignore(samples), row._asdict()).rowcount == 1


def stored_before(connection: Connection, before: float, limit: int) -> Sequence[int]:
    """The rows of at most `limit` samples that were stored before a time, oldest first."""
    old = select(samples.c.id).where(samples.c.stored_at < before).order_by(samples.c.stored_at)
    return connection.execute(old.limit(limit)).scalars().all()


def remove(connection: Connection, ids: Sequence[int], now: float) -> int:
    """Delete samples, and let their files go that no sample needs any more; returns how many samples went."""
    these = samples.c.id.in_(ids)
    sha256s = connection.execute(select(samples.c.sha256).where(these).distinct()).scalars().all()
    deleted = connection.execute(delete(samples).where(these))
    files.release(connection, sha256s, now)
    return deleted.rowcount


def find(connection: Connection, public_id: str, sequence: int) -> SampleRow | None:
    """The sample of a device's frame; None when it is not among the samples."""
    this = (devices.c.public_id == public_id) & (samples.c.sequence == sequence)
    row = connection.execute(_with_answers().where(this)).one_or_none()
    return None if row is None else SampleRow(*row)


def of_frame(connection: Connection, device_id: int, sequence: int) -> SampleRow | None:
    """The sample of a device's frame, by the device's row; None when it is not among the samples."""
    row = connection.execute(_with_answers().where(_of(device_id, sequence))).one_or_none()
    return None if row is None else SampleRow(*row)


def newest(connection: Connection, wanted: SampleQuery, limit: int) -> Sequence[SampleRow]:
    """At most `limit` samples, newest first."""
    query = _with_answers().where(*_conditions(wanted)).order_by(samples.c.id.desc()).limit(limit)
    return [SampleRow(*row) for row in connection.execute(query)]


def _conditions(wanted: SampleQuery) -> list[ColumnElement[bool]]:
    conditions: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "family": lambda family: samples.c.family == family,
        "reason": lambda reason: samples.c.reason == reason,
        "is_detail": lambda is_it: (samples.c.reason == Kind.DETAIL.value) == is_it,
        "is_labelled": lambda is_labelled: labels.c.label.is_not(None) if is_labelled else labels.c.label.is_(None),
        "since": lambda since: samples.c.stored_at >= since,
        "until": lambda until: samples.c.stored_at < until,
        "before": lambda before: samples.c.id < before,
    }
    asked = {name: value for name, value in asdict(wanted).items() if value is not None}
    return [conditions[name](value) for name, value in asked.items()]


def _with_answers() -> Select[Any]:
    """Samples that a device left which is not forgotten: what is left of others is being deleted."""
    answered = (results.c.device_id == samples.c.device_id) & (results.c.sequence == samples.c.sequence)
    of_frame = func.coalesce(results.c.companion_of, samples.c.sequence)
    labelled = (labels.c.device_id == samples.c.device_id) & (labels.c.sequence == of_frame)
    return (
        select(
            samples.c.id,
            devices.c.public_id,
            *(samples.c[name] for name in ("sequence", "family", "reason", "stored_at", "sha256")),
            sample_files.c.bytes,
            results.c.label.label("answer"),
            *(results.c[name] for name in ("confidence", "model", "match", "tables", "received_at_ns")),
            *(results.c[name] for name in ("kind", "companion_of")),
            *(labels.c[name] for name in ("label", "source", "is_correct", "is_foreign", "labelled_at", "labelled_by")),
            labels.c.authority,
        )
        .select_from(samples)
        .join(results, answered)
        .join(devices, (devices.c.id == samples.c.device_id) & devices.c.forgotten_at.is_(None))
        .join(sample_files, sample_files.c.sha256 == samples.c.sha256)
        .outerjoin(labels, labelled)
    )


def _of(device_id: int, sequence: int) -> ColumnElement[bool]:
    return (samples.c.device_id == device_id) & (samples.c.sequence == sequence)
