"""What a device tells its server of itself."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from sensor_client.active_bundle import ActiveBundle
from sensor_client.device_channel import DeviceChannel
from sensor_client.encode_times import EncodeTimes
from sensor_client.heartbeat import (
    FLOOR_SECONDS,
    HURRIED_SECONDS,
    PERIOD_SECONDS,
    WORSE_SECONDS,
    HeartbeatReporter,
    ProgramStart,
    SelfDescription,
    Told,
)
from sensor_client.ota import Trial, UpdateState
from sensor_client.signals import Signals
from sensor_client.spool import Spool
from shared.errors import ChannelError
from shared.trust import TrustStanding
from shared.wire import AssignmentOutcome, EventKind, Heartbeat, ProblemCode
from tests.sensor_client.device_plane import Answer, DevicePlane, problem
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import make_bundle

BUNDLE = make_bundle(1)
CONFIRMED = AssignmentOutcome(seq=3, event=EventKind.CONFIRMED, target="signs/1.json")
REJECTED = AssignmentOutcome(
    seq=4, event=EventKind.REJECTED, target="signs/2.json", code="selftest-failed", reason="no"
)

SIGNED = datetime(2026, 11, 29, 7, 15, tzinfo=UTC)
STANDING = TrustStanding(
    root_version=2,
    targets_version=9,
    signed_at=SIGNED,
    time_floor=SIGNED,
    not_before=SIGNED,
    min_counter=1,
    is_stale=True,
)


@dataclass
class Outbox:
    """Outcomes that wait."""

    outcomes: list[AssignmentOutcome] = field(default_factory=list)

    def waiting(self) -> tuple[AssignmentOutcome, ...]:
        return tuple(self.outcomes)

    def settle(self, outcome: AssignmentOutcome) -> None:
        self.outcomes.remove(outcome)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def description(spool: Spool, clock: FakeClock) -> SelfDescription:
    start = ProgramStart(program="0.1.0", boot="0123456789abcdef", boots=7, at_seconds=clock.monotonic_seconds())
    trial = Trial(target=BUNDLE.target_path, digest="0" * 64, boots=1, proofs=2)
    return SelfDescription(
        start=start,
        active=ActiveBundle(BUNDLE),
        times=EncodeTimes(clock),
        spool=spool,
        kept=lambda: UpdateState(seq=3, phase=trial, last_outcome=CONFIRMED),
        standing=lambda: STANDING,
        clock=clock,
    )


@pytest.fixture
def reporter(
    channel: DeviceChannel, description: SelfDescription, outbox: Outbox, clock: FakeClock, signals: Signals
) -> HeartbeatReporter:
    return HeartbeatReporter(
        channel=channel,
        describe=description.heartbeat,
        outcomes=outbox,
        clock=clock,
        random=lambda: 0.5,
        signals=signals,
    )


def told(plane: DevicePlane) -> list[str]:
    return [request.path for request in plane.requests]


def test_a_heartbeat_says_how_the_device_is(
    plane: DevicePlane, reporter: HeartbeatReporter, spool: Spool, clock: FakeClock
) -> None:
    sequence = spool.append(b"jpeg", 0)
    clock.elapsed_seconds += 5

    reporter.step()

    [request] = plane.asked("/v1/heartbeat")
    said = Heartbeat.model_validate_json(request.body)
    assert (said.program, said.boot, said.boots, said.uptime_seconds) == ("0.1.0", "0123456789abcdef", 7, 5)
    assert said.active is not None and said.active.tables == BUNDLE.tables.tables_id
    assert said.trial is not None and (said.trial.proofs, said.trial.boots) == (2, 1)
    assert (said.highest_sequence, said.spool.frames, said.spool.bytes) == (sequence, 1, 4)
    assert said.outcome == CONFIRMED and said.time_floor == "2026-11-29T07:15:00Z"
    assert said.tuf is not None
    assert (said.tuf.root_version, said.tuf.targets_version, said.tuf.is_stale) == (2, 9, True)
    assert said.schemas == [1, 2] and "null" not in request.body.decode()


def test_heartbeats_come_at_the_start_and_then_once_in_six_hours(
    plane: DevicePlane, reporter: HeartbeatReporter, clock: FakeClock, signals: Signals
) -> None:
    begun = clock.elapsed_seconds
    clock.on_wait = lambda _: signals.request_stop() if clock.elapsed_seconds > begun + 3.5 * PERIOD_SECONDS else None

    reporter.run()

    assert told(plane) == ["/v1/heartbeat"] * 4


def test_outcomes_are_told_in_their_order_and_a_heartbeat_after_them(
    plane: DevicePlane, reporter: HeartbeatReporter, outbox: Outbox
) -> None:
    reporter.step()
    outbox.outcomes += [CONFIRMED, REJECTED]

    reporter.step()

    assert told(plane)[1:] == ["/v1/assignments/3/events", "/v1/assignments/4/events", "/v1/heartbeat"]
    assert json.loads(plane.requests[2].body) == {
        "event": "rejected",
        "target": "signs/2.json",
        "code": "selftest-failed",
        "reason": "no",
    }
    assert outbox.outcomes == []


def test_an_outcome_of_an_assignment_that_the_server_forgot_is_dropped(
    plane: DevicePlane, reporter: HeartbeatReporter, outbox: Outbox
) -> None:
    outbox.outcomes.append(CONFIRMED)
    plane.scripted.append(("/v1/assignments/3/events", problem(ProblemCode.NOT_FOUND)))

    reporter.step()

    assert outbox.outcomes == []


@pytest.mark.parametrize(
    "answer", [problem(ProblemCode.NOT_READY), Answer(302), Answer(404, {}, b"<h1>Not found</h1>"), Answer(200)]
)
def test_an_outcome_stays_until_the_server_took_it(
    plane: DevicePlane, reporter: HeartbeatReporter, outbox: Outbox, answer: Answer
) -> None:
    outbox.outcomes.append(CONFIRMED)
    plane.scripted.append(("/v1/assignments/3/events", answer))

    with pytest.raises(ChannelError):
        reporter.step()

    assert outbox.outcomes == [CONFIRMED]


def test_a_server_that_takes_no_heartbeat_is_asked_ever_more_seldom_and_never_in_a_hot_loop(
    plane: DevicePlane, reporter: HeartbeatReporter, clock: FakeClock, signals: Signals
) -> None:
    plane.scripted += [("/v1/heartbeat", problem(ProblemCode.NOT_READY))] * 8
    clock.on_wait = lambda _: signals.request_stop() if len(clock.waits) == 8 else None

    reporter.run()

    assert clock.waits == sorted(clock.waits) and clock.waits[0] >= FLOOR_SECONDS


def test_outcomes_that_keep_coming_bring_one_report_each_floor(
    reporter: HeartbeatReporter, outbox: Outbox, clock: FakeClock, signals: Signals
) -> None:
    def bring_another(_: float) -> None:
        outbox.outcomes.append(CONFIRMED)
        signals.report_wanted.set()
        if len(clock.waits) == 5:
            signals.request_stop()

    clock.on_wait = bring_another
    reporter.run()

    assert clock.waits == [FLOOR_SECONDS] * 5


def test_a_server_of_before_that_knows_no_heartbeats_is_left_alone(
    plane: DevicePlane, reporter: HeartbeatReporter
) -> None:
    plane.scripted.append(("/v1/heartbeat", problem(ProblemCode.NOT_FOUND)))

    assert reporter.step() and not reporter.step()


@pytest.mark.parametrize(
    ("told", "now", "troubles", "is_hurried", "expected"),
    [
        (Told(), 0.0, set(), False, 0.0),
        (Told(at_seconds=100.0), 100.0, set(), False, PERIOD_SECONDS),
        (Told(at_seconds=100.0), 100.0, set(), True, HURRIED_SECONDS),
        (Told(at_seconds=100.0), 200.0, set(), True, 0.0),
        (Told(at_seconds=100.0), 100.0, {"source-lost"}, False, WORSE_SECONDS),
        (Told(at_seconds=100.0, troubles=frozenset({"source-lost"})), 100.0, {"source-lost"}, False, PERIOD_SECONDS),
        (Told(at_seconds=100.0, troubles=frozenset({"source-lost"})), 100.0, set(), False, PERIOD_SECONDS),
        (Told(at_seconds=100.0, troubles=frozenset({"a"})), 1200.0, {"a", "disk-nearly-full"}, False, 0.0),
    ],
)
def test_a_heartbeat_comes_earlier_where_something_is_worse_or_the_server_waits_and_never_in_a_hurry(
    told: Told, now: float, troubles: set[str], is_hurried: bool, expected: float
) -> None:
    assert told.seconds_left(now, frozenset(troubles), is_hurried=is_hurried) == expected


def test_a_trouble_that_begins_is_told_once_however_it_flaps(
    plane: DevicePlane, channel: DeviceChannel, description: SelfDescription, clock: FakeClock, signals: Signals
) -> None:
    troubles: set[str] = set()
    reporter = HeartbeatReporter(
        channel=channel,
        describe=description.heartbeat,
        outcomes=Outbox(),
        clock=clock,
        random=lambda: 0.5,
        signals=signals,
        troubles=lambda: frozenset(troubles),
    )
    begin = clock.elapsed_seconds

    def flap(_seconds: float) -> None:
        troubles.symmetric_difference_update({"source-lost"})
        if clock.elapsed_seconds > begin + 3600:
            signals.request_stop()

    clock.on_wait = flap
    reporter.run()
    assert len(plane.asked("/v1/heartbeat")) == 2


def test_a_server_that_waits_for_a_report_has_it_within_half_a_minute(
    plane: DevicePlane, channel: DeviceChannel, description: SelfDescription, clock: FakeClock, signals: Signals
) -> None:
    reporter = HeartbeatReporter(
        channel=channel,
        describe=description.heartbeat,
        outcomes=Outbox(),
        clock=clock,
        random=lambda: 0.5,
        signals=signals,
    )
    assert reporter.step()
    signals.hurry_report()
    assert not reporter.step()
    clock.elapsed_seconds += HURRIED_SECONDS
    assert reporter.step() and not reporter.step()
    clock.elapsed_seconds += HURRIED_SECONDS
    assert not reporter.step(), "it has what it waited for"
    assert len(plane.asked("/v1/heartbeat")) == 2


def test_a_report_that_was_waited_for_and_not_taken_is_still_waited_for(
    plane: DevicePlane, reporter: HeartbeatReporter, clock: FakeClock, signals: Signals
) -> None:
    reporter.step()
    signals.hurry_report()
    clock.elapsed_seconds += HURRIED_SECONDS
    plane.scripted.append(("/v1/heartbeat", problem(ProblemCode.NOT_READY)))
    with pytest.raises(ChannelError):
        reporter.step()

    assert reporter.step() and not reporter.step()
