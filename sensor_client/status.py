"""The state of a device, read from its directory, also while `run` works there."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from sensor_client.heartbeat import trial_of, trust_of
from sensor_client.ledger import read_traffic
from sensor_client.line_health import read_line_fault
from sensor_client.ota import RefusedOffer, Slots, UpdateState, UpdateStateFile
from sensor_client.remote_settings import SettingsFile
from sensor_client.source_record import is_written_by_a_run, read_source_record
from sensor_client.sources import Condition, Stillness
from sensor_client.spool import Counters, Depth, Drops, NoSpoolError, Spool, SpoolLimits, UnreadablePicture
from sensor_client.state_directory import Identity, StateDirectory, StateError
from shared import trust as shared_trust
from shared.bundle import Bundle
from shared.errors import ChannelError, DctwireError
from shared.wire import AssignmentOutcome, Trial, TrustState

_T = TypeVar("_T")
_Spooled: TypeAlias = tuple[Depth, Counters, Drops, list[UnreadablePicture]]


class SettingsFromAfar(BaseModel):
    """Settings from afar, as the device knows them; how far they hold, its own configuration says.

    Args:
        named: the target path of those that the server named last; None: it names none.
        in_effect: the number of those that are in effect; None: of none.
        tag: the tag that they are for; None: they are for the family.
        said: what they set, by name.
        code, reason: why those that are named are not in effect.
        is_open: whether they are tried again.
    """

    model_config = ConfigDict(frozen=True)

    named: str | None
    in_effect: int | None
    tag: str | None
    said: dict[str, Any]
    code: str | None
    reason: str | None
    is_open: bool


class SourceStatus(BaseModel):
    """How the picture source does, or did in the run before; times are UTC, counts since that program started.

    Args:
        has_broken_off: whether it has ended and was to go on.
        is_of_a_run: whether the program that told this still runs.
        told_at: when it told this: a minute after a change at the latest; pictures are counted ten minutes behind.
    """

    model_config = ConfigDict(frozen=True)

    is_of_a_run: bool
    told_at: str
    condition: Condition
    since: str
    pictures: int
    last_picture_at: str | None
    fault: str | None
    fault_at: str | None
    losses: int
    dropped: int
    stillness: Stillness | None
    still_since: str | None
    has_broken_off: bool


class Status(BaseModel):
    """Everything that `dctwire-sensor status` prints; byte counts are of JPEG streams, without HTTP, but for traffic.

    Args:
        line_fault: why uploads do not get through, as of a minute ago at most; None where they do, or none was tried.
        line_failed_since: since when (UTC).
        traffic_sent, traffic_received: bytes at the socket, by purpose, since the state directory was made.
        traffic_spent: both together, in the hour, day and month (UTC) that were under way when they were written.
        settings: those from afar; None where none are named or in effect.
        source: None before the first run.
        trial: the bundle that must prove itself; None where none has to.
        trust: the TUF metadata that are trusted; None before there are any.
        refused_since: since when the server refuses this device's token (UTC); None where it does not.
        dropped: how many frames were dropped, by reason and priority, such as "quota ordinary".
        faults: what could not be read, and why; the members that stood there are as on a new device.
    """

    model_config = ConfigDict(frozen=True)

    server_url: str | None
    device_id: str | None
    family: str | None
    refused_since: str | None
    active_bundle: str | None
    previous_bundle: str | None
    tables_id: str | None
    assignment_seq: int
    bundles_activated: int
    bundles_refused: int
    last_refused: RefusedOffer | None
    settings: SettingsFromAfar | None
    source: SourceStatus | None
    trial: Trial | None
    last_outcome: AssignmentOutcome | None
    trust: TrustState | None
    spooled_frames: int
    spooled_bytes: int
    line_fault: str | None
    line_failed_since: str | None
    traffic_sent: dict[str, int]
    traffic_received: dict[str, int]
    traffic_spent: dict[str, int]
    waiting_labels: int
    waiting_probes: int
    dead_letters: int
    counters: dict[str, int]
    dropped: dict[str, int]
    unreadable_pictures: tuple[UnreadablePicture, ...]
    faults: tuple[str, ...]


def read_status(state: StateDirectory) -> Status:
    """Read the state of the device; nothing is changed, and damage is told among the faults.

    Raises:
        StateError: there is no such directory.
    """
    if not state.path.is_dir():
        raise StateError(f"{state.path} does not exist")
    faults: list[str] = []
    identity = _read(state.identity, None, faults)
    since = state.refused_since()
    slots = Slots(state.slots)
    active, previous = _read(slots.active, None, faults), _read(slots.previous, None, faults)
    updates = _read(UpdateStateFile(state.update_state_file).load, UpdateState(), faults)
    nothing: _Spooled = (_NO_DEPTH, Counters(), {}, [])
    depth, counters, drops, unreadable = _read(lambda: _look_into(state.spool_file) or nothing, nothing, faults)
    traffic, line_fault = read_traffic(state.traffic_file), read_line_fault(state.line_file)
    return Status(
        server_url=None if identity is None else identity.server_url,
        device_id=None if identity is None else identity.enrolment.device_id,
        family=None if identity is None else identity.enrolment.family,
        refused_since=None if since is None else _utc(since),
        active_bundle=_name(active),
        previous_bundle=_name(previous),
        tables_id=None if active is None else active.tables.tables_id,
        assignment_seq=updates.seq,
        bundles_activated=updates.activations,
        bundles_refused=updates.refusals,
        last_refused=updates.last_refused,
        settings=_settings(state.settings_file),
        source=_source(state.source_report_file),
        trial=trial_of(updates),
        last_outcome=updates.last_outcome,
        trust=_read(lambda: _trust(state, identity), None, faults),
        spooled_frames=depth.frames,
        spooled_bytes=depth.frame_bytes,
        line_fault=None if line_fault is None else line_fault.reason,
        line_failed_since=None if line_fault is None else _utc(line_fault.since),
        traffic_sent={purpose.value: count for purpose, count in traffic.sent.items()},
        traffic_received={purpose.value: count for purpose, count in traffic.received.items()},
        traffic_spent={window.value: count for window, count in traffic.spent.items()},
        waiting_labels=depth.labels,
        waiting_probes=depth.probes,
        dead_letters=depth.dead_letters,
        counters=vars(counters),
        dropped={f"{reason.value} {priority.name.lower()}": count for (reason, priority), count in drops.items()},
        unreadable_pictures=tuple(unreadable),
        faults=tuple(faults),
    )


_NO_DEPTH = Depth(frames=0, frame_bytes=0, labels=0, dead_letters=0, probes=0)


def _read(read: Callable[[], _T], otherwise: _T, faults: list[str]) -> _T:
    try:
        return read()
    except (DctwireError, OSError) as error:
        faults.append(str(error))
        return otherwise


def _trust(state: StateDirectory, identity: Identity | None) -> TrustState | None:
    """What is trusted, by the files alone."""
    if identity is None:
        return None
    client = shared_trust.TrustClient(state.trust, state.root(), _asks_nobody, identity.enrolment.family)
    return trust_of(client.standing())


def _settings(file: Path) -> SettingsFromAfar | None:
    record = SettingsFile(file).load()
    settings = record.settings
    if record.named is None and settings is None:
        return None
    return SettingsFromAfar(
        named=record.named,
        in_effect=None if settings is None else settings.counter,
        tag=None if settings is None else settings.tag,
        said={} if settings is None else settings.said,
        code=record.code,
        reason=record.reason,
        is_open=record.is_open and not record.is_settled,
    )


def _source(file: Path) -> SourceStatus | None:
    record = read_source_record(file)
    if record is None:
        return None
    told = record.report
    return SourceStatus(
        is_of_a_run=is_written_by_a_run(file),
        told_at=_utc(record.written_at),
        condition=told.condition,
        since=_utc(told.since),
        pictures=told.pictures,
        last_picture_at=_moment(told.last_picture_at),
        fault=told.fault,
        fault_at=_moment(told.fault_at),
        losses=told.losses,
        dropped=told.dropped,
        stillness=told.stillness,
        still_since=_moment(told.still_since),
        has_broken_off=told.has_broken_off,
    )


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else _utc(seconds)


def _asks_nobody(path: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
    raise ChannelError(f"{path} is not fetched to print a status")


def _look_into(spool_file: Path) -> _Spooled | None:
    """What is in the spool; None where there is none."""
    try:
        spool = Spool(spool_file, SpoolLimits(), first_sequence=None)
    except NoSpoolError:
        return None
    try:
        return spool.depth(), spool.counters(), spool.drops(), spool.unreadable()
    finally:
        spool.close()


def _name(bundle: Bundle | None) -> str | None:
    return None if bundle is None else bundle.name


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
