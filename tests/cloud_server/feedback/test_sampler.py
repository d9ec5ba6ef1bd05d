"""Which answered frames the sampler chooses, and what it does when nothing takes them from it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.feedback.reasons import Dropped, Reason, SampleRules
from cloud_server.feedback.recent_frames import RecentFrame
from cloud_server.feedback.sample_store import Kept, NotKept
from cloud_server.feedback.sampler import QUEUE_MAX_FRAMES, Sampler
from cloud_server.metrics import Metrics
from shared.jpeg import Stream
from shared.wire import Kind, Match
from tests.cloud_server.harness.frames import frame, tables

LABELS = ("zero", "one")
RULES = SampleRules(random_rate=0.1, confidence_below=0.5, rare_share=0.5)
NEVER, ALWAYS = 0.99, 0.0
MANY = 2000


class NotingStore:
    """Keeps every frame, by noting it."""

    def __init__(self) -> None:
        self.kept: list[tuple[RecentFrame, Reason]] = []

    async def keep(self, frame: RecentFrame, reason: Reason) -> Kept | NotKept:
        """As `SampleStore.keep`."""
        self.kept.append((frame, reason))
        return Kept(is_new=True)


def answered(*frames: AnsweredFrame, match: Match = Match.EXACT) -> AnsweredFrames:
    """A micro-batch."""
    return AnsweredFrames(
        family="digits",
        model="digits/1",
        labels=LABELS,
        match=match,
        tables="v1",
        table_set=tables(50),
        answered_at=1.0,
        frames=frames,
    )


def one(sequence: int = 0, confidence: float = 0.9, label: int = 0, *, is_counted: bool = True) -> AnsweredFrame:
    """A frame of device 7 that was answered."""
    return AnsweredFrame(7, sequence, b"jpeg %d" % sequence, 2, label, confidence, is_counted)


def chosen(
    drawn: float, *batches: AnsweredFrames, then: Callable[[Sampler], None] | None = None
) -> list[tuple[int, Reason]]:
    """The sequences that are kept of these micro-batches, and why."""
    store = NotingStore()

    async def run() -> None:
        sampler = Sampler(store, Metrics(), RULES, 1 << 20, lambda: drawn)  # type: ignore[arg-type]
        for batch in batches:
            sampler.observe(batch)
        if then is not None:
            then(sampler)
        await emptied(sampler.run())

    asyncio.run(run())
    assert all(frame.data == b"jpeg %d" % frame.sequence for frame, _ in store.kept)
    assert all((frame.device_id, frame.family, frame.tables) == (7, "digits", tables(50)) for frame, _ in store.kept)
    return [(frame.sequence, reason) for frame, reason in store.kept]


async def emptied(running: Awaitable[None]) -> None:
    """Let the sampler store what it has, then end it."""
    task = asyncio.ensure_future(running)
    for _ in range(4 * QUEUE_MAX_FRAMES):
        await asyncio.sleep(0)
    task.cancel()


def test_each_frame_of_a_micro_batch_is_looked_at_by_itself() -> None:
    batch = answered(one(1), one(2, confidence=0.4), one(3), one(4, confidence=0.1))
    assert chosen(NEVER, batch) == [(2, Reason.NEAR_THRESHOLD), (4, Reason.NEAR_THRESHOLD)]
    assert chosen(ALWAYS, answered(one(1), one(2))) == [(1, Reason.RANDOM), (2, Reason.RANDOM)]


def test_nothing_is_learned_from_a_device_in_quarantine() -> None:
    """Its frames are neither kept, nor remembered for a label, nor do they say which labels are rare."""
    held = answered(*(one(n, is_counted=False) for n in range(MANY)))
    assert chosen(ALWAYS, held, then=lambda sampler: sampler.contradicted(7, 1)) == []
    usual = answered(*(one(MANY + n, is_counted=False) for n in range(MANY)), one(0, label=1))
    assert chosen(NEVER, usual, answered(one(1, label=1))) == [], "nobody knows yet what is rare"


def test_frames_that_the_classifier_was_not_trained_for_are_kept_by_chance_only() -> None:
    batch = answered(one(1, confidence=0.1), match=Match.FALLBACK)
    assert chosen(NEVER, batch) == []
    assert chosen(ALWAYS, batch) == [(1, Reason.RANDOM)]


def test_a_class_is_rare_by_what_the_whole_family_was_answered_lately() -> None:
    usual = [answered(*(one(n) for n in range(MANY))) for _ in range(2)]
    assert chosen(NEVER, *usual, answered(one(MANY, label=1))) == [(MANY, Reason.RARE_CLASS)]
    assert chosen(NEVER, answered(one(0, label=1))) == [], "nobody knows yet what is rare"
    two_to_three = [answered(*(one(n, label=int(n % 5 < 2)) for n in range(MANY)))]
    assert chosen(NEVER, *two_to_three) == [], "two fifths of all answers are four fifths of an equal share of two"


@pytest.mark.parametrize(("sequence", "kept"), [(1, [(1, Reason.DISAGREEMENT)]), (9, [])])
def test_a_frame_that_a_label_contradicts_is_kept_while_it_is_remembered(
    sequence: int, kept: list[tuple[int, Reason]]
) -> None:
    assert chosen(NEVER, answered(one(0), one(1)), then=lambda sampler: sampler.contradicted(7, sequence)) == kept


def test_more_than_wait_for_the_store_are_dropped() -> None:
    frames = (one(n, confidence=0.1) for n in range(QUEUE_MAX_FRAMES + 5))
    assert [sequence for sequence, _ in chosen(NEVER, answered(*frames))] == list(range(QUEUE_MAX_FRAMES))


def details_kept(*qualities: float | None, is_counted: bool = True) -> list[tuple[int, Reason]]:
    """What is kept of details: ordinary JPEG of these qualities, or abbreviated frames of a bundle's tables."""
    store = NotingStore()
    sent = [
        frame(tables(50), n) if quality is None else frame(tables(quality), n, Stream.INTERCHANGE)
        for n, quality in enumerate(qualities)
    ]
    frames = tuple(
        AnsweredFrame(7, 2 * n + 1, data, 2, 0, 0.1, is_counted, companion_of=2 * n) for n, data in enumerate(sent)
    )
    batch = replace(answered(*frames, match=Match.FALLBACK), kind=Kind.DETAIL, table_set=None)

    async def run() -> None:
        sampler = Sampler(store, Metrics(), RULES, 1 << 20, lambda: ALWAYS)  # type: ignore[arg-type]
        sampler.observe(batch)
        sampler.contradicted(7, 1)
        await emptied(sampler.run())

    asyncio.run(run())
    assert all(one.of == one.sequence - 1 for one, _ in store.kept)
    return [(one.sequence, reason) for one, reason in store.kept]


def test_every_detail_that_is_ordinary_jpeg_of_a_fine_quality_is_kept_and_no_other() -> None:
    assert details_kept(90, None, 12.6, 75) == [(1, Reason.DETAIL), (7, Reason.DETAIL)]
    assert details_kept(1, 49, 50) == [(5, Reason.DETAIL)], "below 50 is no reference"
    assert details_kept(90, is_counted=False) == []


class ClosingStore:
    """Keeps nothing, of one device for an hour; notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def keep(self, frame: RecentFrame, reason: Reason) -> Kept | NotKept:
        """As `SampleStore.keep`."""
        self.asked.append(frame.device_id)
        return NotKept(Dropped.CAP, 3600.0, 7) if frame.device_id == 7 else NotKept(Dropped.CAP)


def test_a_device_that_had_its_share_is_not_tried_again_and_others_are() -> None:
    store, clock = ClosingStore(), [0.0]

    async def run() -> None:
        sampler = Sampler(store, Metrics(), RULES, 1 << 20, lambda: ALWAYS, lambda: clock[0])  # type: ignore[arg-type]
        for at in (0.0, 1.0, 3601.0):
            clock[0] = at
            sampler.observe(answered(one(int(at)), one(int(at))._replace(device_id=8)))
            await emptied(sampler.run())

    asyncio.run(run())
    assert store.asked == [7, 8, 8, 7, 8]
