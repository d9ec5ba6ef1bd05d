"""The parts of a running sensor, put together: what `dctwire-sensor run` is made of."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from sensor_client import device_channel
from sensor_client.active_bundle import ActiveBundle
from sensor_client.beside_parts import BesideParts
from sensor_client.camera_parts import CameraParts
from sensor_client.capture import Capture, CaptureSettings
from sensor_client.clock import Clock
from sensor_client.companion_sender import CompanionSender
from sensor_client.condition import DeviceLooks
from sensor_client.device_channel import DeviceChannel
from sensor_client.encode_times import EncodeTimes
from sensor_client.enrolment import enrol_again
from sensor_client.heartbeat import HeartbeatReporter, ProgramStart, SelfDescription
from sensor_client.http_line import HttpLine
from sensor_client.ledger import Ledger
from sensor_client.line_health import LineHealth
from sensor_client.logs import get_logger, recent_lines
from sensor_client.membership import Membership
from sensor_client.ota import Evidence, Installation, Outbox, Slots, Updater, UpdateSettings, UpdateStateFile
from sensor_client.policies import CaptureOrders, HeldCaptureOrders, Requests
from sensor_client.remote_settings import FollowedSettings, RemoteLimits, SettingsFile, followed_settings
from sensor_client.room import once_there_is_room
from sensor_client.sensor import Sensor
from sensor_client.signals import Signals
from sensor_client.source_record import SourceRecorder
from sensor_client.sources import Camera, SourceHealth
from sensor_client.spool import Spool, SpoolError, SpoolLimits, first_sequence_of
from sensor_client.state_directory import Identity, StateDirectory, StateError
from sensor_client.supervision import Supervised
from sensor_client.trust_process import TrustProcess
from sensor_client.upload_orders import HeldUploadOrders
from sensor_client.uploader import Uploader, UploadSettings
from shared.bundle import settings_counter

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What `run` was asked to do."""

    state: StateDirectory
    camera: Camera
    source_health: SourceHealth
    capture: CaptureSettings
    orders: CaptureOrders = field(default_factory=CaptureOrders)
    upload: UploadSettings
    limits: SpoolLimits
    wants_results: bool
    makes_probes: bool
    poll_seconds: float
    remote: RemoteLimits = field(default_factory=RemoteLimits)
    configuration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the parts get from outside: time, chance in [0, 1), the environment's variables, the program's version,
    a random name of this start, 16 hex digits, and the event that ends all."""

    clock: Clock
    random: Callable[[], float]
    environment: Mapping[str, str]
    program: str
    boot: str
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a sensor, not yet at work.

    Args:
        beside: what works beside capture, upload, updates and reports, and ends once a stop is asked for.
    """

    start: ProgramStart
    spool: Spool
    signals: Signals
    active: ActiveBundle
    capture: Capture
    uploader: Uploader
    updater: Updater
    outbox: Outbox
    reporter: HeartbeatReporter
    beside: Sequence[Supervised]
    ledger: Ledger
    times: EncodeTimes
    source_health: SourceHealth


@contextmanager
def assembled(settings: RunSettings, around: Surroundings) -> Iterator[tuple[Sensor, Spool, Signals]]:
    """Put together everything that `run` needs, and close it at the end.

    Raises:
        StateError, SpoolError, OSError, ValueError, ProxyError: as `put_together`.
    """
    with put_together(settings, around) as parts:
        yield sensor_of(parts, around), parts.spool, parts.signals


def sensor_of(parts: Parts, around: Surroundings) -> Sensor:
    """The parts, at work side by side."""
    works = {"updater": parts.updater.run, "heartbeat": parts.reporter.run}
    return Sensor(
        capture=parts.capture,
        uploader=parts.uploader,
        beside=[*_supervised(works, around, parts.signals), *parts.beside],
        signals=parts.signals,
        clock=around.clock,
    )


@contextmanager
def put_together(settings: RunSettings, around: Surroundings) -> Iterator[Parts]:
    """The parts of a sensor, closed at the end.

    Raises:
        StateError: the device is not enrolled, or its directory cannot be used.
        SpoolError: the spool cannot be opened.
        OSError: the disk is broken before the first frame was given its number. A full one is waited for.
        ValueError, ProxyError: from `HttpLine`.
    """
    state = settings.state
    if not state.path.is_dir():
        raise StateError(f"{state.path} is not enrolled; run `dctwire-sensor enrol` first")
    with ExitStack() as stack:
        stack.enter_context(state.claimed())
        _repair(state)
        known = state.identity()
        if known is None:
            raise StateError(f"{state.path} is not enrolled; run `dctwire-sensor enrol` first")
        identity, spool = once_there_is_room(partial(_opened, settings, known, around), around.clock, around.random)
        stack.callback(spool.close)
        orders = HeldUploadOrders(settings.upload.orders)
        ledger = Ledger(state.traffic_file, around.clock, orders)
        stack.callback(ledger.close)
        line = stack.enter_context(
            HttpLine(identity.server_url, around.clock, around.environment, identity.authorities, ledger)
        )
        settled = settings_counter(SettingsFile(state.settings_file).load().named or "") or 0
        signals = Signals(UpdateStateFile(state.update_state_file).load().seq, around.stop, settled)
        told = settings.source_health
        recorder = SourceRecorder(state.source_report_file, lambda: told.report, around.clock, signals.stop)
        stack.callback(recorder.close)
        yield _parts(settings, around, identity, spool, line, signals, orders, ledger, recorder)


def _repair(state: StateDirectory) -> None:
    try:
        state.repair()
    except OSError as error:  # what cannot be written now may be at the next start
        _log.error("state-not-repaired", reason=str(error))


def _opened(settings: RunSettings, identity: Identity, around: Surroundings) -> tuple[Identity, Spool]:
    first_sequence = first_sequence_of(identity.has_counted, around.random())
    counted = _counted(settings.state, identity)
    file, limits, seconds = settings.state.spool_file, settings.limits, around.clock.monotonic_seconds
    return counted, Spool(file, limits, first_sequence, seconds, around.random)


def _counted(state: StateDirectory, identity: Identity) -> Identity:
    """The identity, on disk, of a device that may have given numbers to frames."""
    if identity.has_counted:
        return identity
    counted = identity.model_copy(update={"has_counted": True})
    state.enrol(counted)
    return counted


def _root(state: StateDirectory) -> bytes | None:
    """The root that the device was shipped with; where it is lost, what was trusted since may stand in for it."""
    try:
        return state.root()
    except StateError as error:
        _log.error("root-lost", reason=str(error))
        return None


def _start(spool: Spool, around: Surroundings) -> ProgramStart:
    try:
        boots = spool.count_start()
    except SpoolError as error:  # a full disk: the count is for people
        _log.error("start-not-counted", reason=str(error))
        boots = 0
    return ProgramStart(
        program=around.program, boot=around.boot, boots=boots, at_seconds=around.clock.monotonic_seconds()
    )


def _description(
    start: ProgramStart,
    spool: Spool,
    around: Surroundings,
    active: ActiveBundle,
    times: EncodeTimes,
    updater: Updater,
    trust: TrustProcess,
    from_afar: FollowedSettings,
    looks: DeviceLooks,
) -> SelfDescription:
    return SelfDescription(
        start=start,
        active=active,
        times=times,
        spool=spool,
        kept=lambda: updater.kept,
        standing=trust.standing,
        from_afar=lambda: from_afar.record.state,
        condition=looks.condition,
        clock=around.clock,
    )


def _membership(
    state: StateDirectory, around: Surroundings, identity: Identity, line: HttpLine, signals: Signals
) -> Membership:
    return Membership(
        identity=identity,
        refused_since=state.refused_since(),
        rejoin=lambda known: enrol_again(known, lambda wanted: device_channel.enrol(line, wanted, around.clock.now())),
        keep=state.enrol,
        note=state.note_refused,
        clock=around.clock,
        random=around.random,
        signals=signals,
    )


def _parts(
    settings: RunSettings,
    around: Surroundings,
    identity: Identity,
    spool: Spool,
    line: HttpLine,
    signals: Signals,
    orders: HeldUploadOrders,
    ledger: Ledger,
    recorder: SourceRecorder,
) -> Parts:
    state, clock, chance = settings.state, around.clock, around.random
    held, requests = HeldCaptureOrders(settings.orders), Requests()
    file, family, remote = state.settings_file, identity.enrolment.family, settings.remote
    from_afar = followed_settings(file, family, remote, held, orders, clock=clock, random=chance, signals=signals)
    active, times = ActiveBundle(), EncodeTimes(clock)
    evidence = Evidence(signals.update_wanted.set)
    outbox = Outbox(fresh=signals.report_wanted.set, settled=signals.update_wanted.set)
    membership = _membership(state, around, identity, line, signals)
    channel = _channel(line, membership, clock, signals, wants_results=settings.wants_results)
    trust = TrustProcess(state.trust, _root(state), channel.fetch, identity.enrolment.family, clock)
    installation = Installation(Slots(state.slots), UpdateStateFile(state.update_state_file), active)
    updater = Updater(
        channel=channel,
        trust=trust,
        installation=installation,
        clock=clock,
        random=chance,
        signals=signals,
        evidence=evidence,
        outbox=outbox,
        settings=UpdateSettings(family=identity.enrolment.family, poll_seconds=settings.poll_seconds),
        from_afar=from_afar,
    )
    device_id, makes_probes = identity.enrolment.device_id, settings.makes_probes
    works = CameraParts(device_id, settings.camera, settings.capture, makes_probes, active, times, evidence, trust)
    capture = works.capture(clock, chance, spool, held, requests, signals)
    start = _start(spool, around)
    looks = _looks(settings, around, spool, ledger, signals)
    told = _description(start, spool, around, active, times, updater, trust, from_afar, looks)
    reporter = _reporter(told, looks, around, channel, outbox, signals)
    said = settings.configuration
    beside = BesideParts(state, said, remote, spool, channel, told, membership, requests, recorder)
    health = LineHealth(state.line_file, clock)
    uploader = _uploader(settings.upload, orders, ledger, health, around, spool, channel, evidence, signals)
    return Parts(
        start=start,
        spool=spool,
        signals=signals,
        active=active,
        capture=capture,
        uploader=uploader,
        updater=updater,
        outbox=outbox,
        reporter=reporter,
        beside=_supervised(beside.works(clock, chance, signals), around, signals),
        ledger=ledger,
        times=times,
        source_health=settings.source_health,
    )


def _channel(
    line: HttpLine, access: Membership, clock: Clock, signals: Signals, *, wants_results: bool
) -> DeviceChannel:
    seen = signals.notice_assignment
    return DeviceChannel(line=line, access=access, clock=clock, assignment_seen=seen, wants_results=wants_results)


def _looks(settings: RunSettings, around: Surroundings, spool: Spool, ledger: Ledger, signals: Signals) -> DeviceLooks:
    return DeviceLooks(
        folder=settings.state.path,
        spool=spool,
        traffic=ledger.traffic,
        source=lambda: settings.source_health.report,
        restarts=signals.restarts,
        log_lines=recent_lines,
        clock=around.clock,
    )


def _reporter(
    description: SelfDescription,
    looks: DeviceLooks,
    around: Surroundings,
    channel: DeviceChannel,
    outbox: Outbox,
    signals: Signals,
) -> HeartbeatReporter:
    return HeartbeatReporter(
        channel=channel,
        describe=description.heartbeat,
        outcomes=outbox,
        clock=around.clock,
        random=around.random,
        signals=signals,
        troubles=looks.troubles,
    )


def _uploader(
    settings: UploadSettings,
    orders: HeldUploadOrders,
    ledger: Ledger,
    health: LineHealth,
    around: Surroundings,
    spool: Spool,
    channel: DeviceChannel,
    evidence: Evidence,
    signals: Signals,
) -> Uploader:
    companions = CompanionSender(
        spool=spool,
        channel=channel,
        clock=around.clock,
        random=around.random,
        signals=signals,
        orders=orders,
    )
    return Uploader(
        spool=spool,
        channel=channel,
        companions=companions,
        witness=evidence,
        allowance=ledger,
        health=health,
        clock=around.clock,
        random=around.random,
        signals=signals,
        orders=orders,
        ends_when_drained=settings.ends_when_drained,
    )


def _supervised(
    works: Mapping[str, Callable[[], None]], around: Surroundings, signals: Signals
) -> Sequence[Supervised]:
    return [
        Supervised(name, work, clock=around.clock, random=around.random, signals=signals)
        for name, work in works.items()
    ]
