"""A frame waits once however many requests want its answer, and stays for those that are left."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloud_server.errors import QueueFullError, SequenceTakenError
from cloud_server.fleet.devices import Device
from cloud_server.inference.batcher import Batcher, QueueLimits
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.frames import Frame
from cloud_server.inference.pending import Pending
from cloud_server.inference.routing import Lane, Model
from cloud_server.inference.waiting import Answer, WaitingFrame, WaitingFrames
from shared.bundle import InputGeometry
from shared.errors import PeerError
from shared.jpeg import Decoder
from shared.wire import Match

OUTCOME = PeerError("an outcome")


class Room:
    """Frames that wait in a real queue with room for three, and whose workers never take one."""

    def __init__(self) -> None:
        self.batcher: Batcher[Lane, WaitingFrame] = Batcher(
            QueueLimits(workers=1, frames_max=3), lambda _lane: 1, lambda _lane, _batch: None, lambda _job: None
        )
        self.frames = WaitingFrames(lambda _lane: self.batcher)
        self.device = Device(1, "dev1", "digits", b"", 0.0)
        classifier = Classifier(None, InputGeometry(width=32, height=32))
        self.lane = Lane(Model(None, (), classifier), Decoder(), "v1", Match.EXACT)  # type: ignore[arg-type]

    def ask(
        self, pending: Pending[Answer], sequence: int | None, index: int = 0, digest: int = 0
    ) -> WaitingFrame | None:
        """Ask for a frame, as the request's first one unless said otherwise."""
        return self.frames.ask(self.device, self.lane, Frame(sequence, b"jpeg"), 2, digest, (pending, index))


def in_loop(scenario: Callable[[Room], Awaitable[None]]) -> None:
    """Run a scenario with a new room, on an event loop."""

    async def run() -> None:
        await scenario(Room())

    asyncio.run(run())


def request(frames: int = 1) -> Pending[Answer]:
    """A request for so many frames."""
    return Pending(frames)


def test_the_same_frame_of_two_requests_waits_once_and_both_get_its_outcome() -> None:
    async def scenario(room: Room) -> None:
        one, other = request(), request()
        waiting = room.ask(one, 5)
        assert waiting is not None
        assert room.ask(other, 5) is waiting
        assert room.batcher.depth == 1
        room.frames.settle(waiting, OUTCOME)
        assert await one.outcomes(1) == await other.outcomes(1) == [OUTCOME]

    in_loop(scenario)


def test_another_frame_under_the_number_of_one_that_waits_is_refused_at_once() -> None:
    async def scenario(room: Room) -> None:
        one, other = request(), request()
        room.device.last_sequence = 9
        assert room.ask(one, 5) is not None
        assert room.ask(other, 5, digest=1) is None
        (outcome,) = await other.outcomes(1)
        assert isinstance(outcome, SequenceTakenError)
        assert outcome.highest_sequence == 9
        assert room.batcher.depth == 1

    in_loop(scenario)


def test_frames_without_a_number_and_other_frames_wait_for_themselves() -> None:
    async def scenario(room: Room) -> None:
        assert room.ask(request(), None) is not room.ask(request(), None)
        assert room.batcher.depth == 2

    in_loop(scenario)


def test_a_frame_that_is_settled_is_joined_by_nobody() -> None:
    async def scenario(room: Room) -> None:
        first = room.ask(request(), 5)
        assert first is not None
        room.frames.settle(first, OUTCOME)
        assert room.ask(request(), 5) is not first

    in_loop(scenario)


def test_a_request_that_ends_takes_its_frame_along_unless_another_wants_it() -> None:
    async def scenario(room: Room) -> None:
        one, other = request(), request()
        waiting = room.ask(one, 5)
        assert waiting is not None
        room.ask(other, 5)
        room.frames.leave([waiting], one)
        assert room.batcher.depth == 1
        assert waiting.askers == [(other, 0)]
        room.frames.leave([waiting], other)
        assert room.batcher.depth == 0
        assert room.ask(request(), 5) is not waiting, "nobody can join it any more"

    in_loop(scenario)


def test_a_request_that_ends_leaves_alone_what_is_settled() -> None:
    async def scenario(room: Room) -> None:
        pending = request(2)
        settled, waiting = room.ask(pending, 5, 0), room.ask(pending, 6, 1)
        assert settled is not None
        assert waiting is not None
        room.frames.settle(settled, OUTCOME)
        again = room.ask(request(), 5)
        room.frames.leave([settled, waiting], pending)
        assert room.ask(request(), 5) is again, "the new one is still waited for"

    in_loop(scenario)


def test_a_frame_that_finds_no_room_has_its_outcome_at_once() -> None:
    async def scenario(room: Room) -> None:
        for sequence in (1, 2, 4):
            room.ask(request(), sequence)
        pending = request()
        assert room.ask(pending, 3) is None
        (outcome,) = await pending.outcomes(1)
        assert isinstance(outcome, QueueFullError)
        assert room.batcher.depth == 3

    in_loop(scenario)


def test_a_fault_ends_every_request_that_asked() -> None:
    async def scenario(room: Room) -> None:
        one, other = request(2), request()
        waiting = room.ask(one, 5)
        assert waiting is not None
        room.ask(other, 5)
        room.frames.fail([waiting], ZeroDivisionError())
        for pending in (one, other):
            with pytest.raises(ZeroDivisionError):
                await pending.outcomes(1)
        assert room.ask(request(), 5) is not waiting

    in_loop(scenario)
