"""Whether the server takes this device's token, and how the device comes back by itself."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sensor_client.errors import ClaimRefusedError, UnauthorisedError
from sensor_client.membership import FIRST_WAIT_SECONDS, FLOOR_SECONDS, IDLE_SECONDS, Membership, rejoin_delay_seconds
from sensor_client.signals import Signals
from sensor_client.state_directory import Identity
from shared.errors import ChannelError
from shared.wire import Enrolment
from tests.sensor_client.device_plane import DEVICE_ID, SECRET, TOKEN
from tests.sensor_client.fakes import FakeClock

OTHER_TOKEN = TOKEN[::-1]
IDENTITY = Identity(
    server_url="http://host:8000",
    enrolment=Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"),
    claim_code="claim",
    secret=SECRET,
)


@dataclass
class World:
    """What a membership does to the world: what it asked, kept and noted."""

    clock: FakeClock
    signals: Signals
    answers: list[Identity | Exception] = field(default_factory=list)
    asked: int = 0
    kept: list[Identity] = field(default_factory=list)
    noted: list[float | None] = field(default_factory=list)
    disk: Exception | None = None

    def rejoin(self, identity: Identity) -> Identity:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else identity
        if isinstance(answer, Exception):
            raise answer
        return answer

    def write(self, note: Callable[[], None]) -> None:
        if self.disk is not None:
            raise self.disk
        note()

    def membership(self, refused_since: float | None = None) -> Membership:
        return Membership(
            identity=IDENTITY,
            refused_since=refused_since,
            rejoin=self.rejoin,
            keep=lambda identity: self.write(lambda: self.kept.append(identity)),
            note=lambda since: self.write(lambda: self.noted.append(since)),
            clock=self.clock,
            random=lambda: 0.5,
            signals=self.signals,
        )


@pytest.fixture
def world(clock: FakeClock, signals: Signals) -> World:
    return World(clock, signals)


def stop_after(world: World, waits: int) -> None:
    world.clock.on_wait = lambda seconds: world.signals.request_stop() if len(world.clock.waits) >= waits else None


def test_a_refused_token_is_not_tried_until_it_is_time(world: World) -> None:
    membership = world.membership()
    membership.refused(TOKEN)

    with pytest.raises(UnauthorisedError) as refused:
        membership.enrolment()

    assert refused.value.retry_after_seconds == FIRST_WAIT_SECONDS / 2
    assert world.noted == [world.clock.now()]


def test_a_single_refusal_is_over_within_seconds(world: World) -> None:
    membership = world.membership()
    membership.refused(TOKEN)
    stop_after(world, 2)

    membership.run()

    assert world.clock.waits[0] <= FIRST_WAIT_SECONDS and world.asked == 1
    assert membership.enrolment() == IDENTITY.enrolment
    membership.accepted(TOKEN)
    assert world.noted[-1] is None and world.kept == []


def test_a_device_that_is_kept_out_asks_ever_more_seldom_and_never_in_a_hot_loop(world: World) -> None:
    membership = world.membership()
    world.answers = [ClaimRefusedError(401, "invalid-claim", "revoked")] * 9
    membership.refused(TOKEN)

    def use_the_token_at_once(seconds: float) -> None:
        if seconds == IDLE_SECONDS:
            world.clock.waits.pop()
            membership.refused(TOKEN)
        if world.asked == 9:
            world.signals.request_stop()

    world.clock.on_wait = use_the_token_at_once
    membership.run()

    first, *later = world.clock.waits
    assert first <= FIRST_WAIT_SECONDS and len(later) == 8
    assert later == sorted(later) and later[0] >= FLOOR_SECONDS
    assert len(world.noted) == 1, "since when it is refused does not change"


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_the_wait_has_a_floor_and_an_end(chance: float) -> None:
    waits = [rejoin_delay_seconds(attempt, lambda: chance) for attempt in range(1, 40)]

    assert min(waits) >= FLOOR_SECONDS and max(waits) <= 3600
    assert chance == 0.0 or waits[-1] > 10 * waits[0]


@pytest.mark.parametrize("fault", [ClaimRefusedError(401, "invalid-claim", "used"), ChannelError("no line")])
def test_after_an_attempt_that_failed_the_token_is_tried_all_the_same(world: World, fault: Exception) -> None:
    membership = world.membership()
    world.answers = [fault]
    membership.refused(TOKEN)
    stop_after(world, 2)

    membership.run()

    assert membership.enrolment().token == TOKEN


def test_a_new_token_is_kept_and_a_late_refusal_of_the_old_one_says_nothing(world: World) -> None:
    membership = world.membership()
    again = Enrolment(device_id=DEVICE_ID, token=OTHER_TOKEN, family="signs")
    world.answers = [IDENTITY.model_copy(update={"enrolment": again})]
    membership.refused(TOKEN)
    stop_after(world, 2)
    membership.run()

    membership.refused(TOKEN)

    assert membership.enrolment() == again
    assert [identity.enrolment for identity in world.kept] == [again]
    assert world.kept[0].secret == SECRET


def test_a_disk_that_takes_nothing_ends_nothing(world: World) -> None:
    world.disk = OSError("no space left on device")
    membership = world.membership()
    again = Enrolment(device_id=DEVICE_ID, token=OTHER_TOKEN, family="signs")
    world.answers = [IDENTITY.model_copy(update={"enrolment": again})]
    membership.refused(TOKEN)
    stop_after(world, 2)

    membership.run()
    membership.accepted(OTHER_TOKEN)

    assert membership.enrolment().token == OTHER_TOKEN


def test_a_device_that_was_refused_when_it_was_switched_off_remembers_since_when(world: World) -> None:
    membership = world.membership(refused_since=100.0)

    membership.refused(TOKEN)
    assert world.noted == []
    membership.accepted(TOKEN)

    assert world.noted == [None]
