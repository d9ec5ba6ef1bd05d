"""The queue of those that review: who is shown what, what a label is worth, and what comes back when it is undone."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, func, select
from sqlalchemy import Engine as Connector

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.feedback import reviewing
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.labels import Labels
from cloud_server.feedback.reasons import Reason
from cloud_server.feedback.reviewing import Reviewing, Shown, matching
from cloud_server.metrics import Metrics
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import assignments, sample_files, samples
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.sum_tables import hourly_answers
from cloud_server.storage.witness import Facts
from shared.wire import LabelReport, LabelSource
from tests.cloud_server.harness.rollouts import answered, enrolled

NOW = 1_800_000_000.0
FEW = ("zero", "one", "two")
MANY = tuple(f"class {number}" for number in range(100))
DAY = 86_400.0
_numbers = itertools.count()


@dataclass
class Stand:
    """A family of its own with a device, and people who review."""

    database: Database
    family: str
    labels: tuple[str, ...]
    now: float

    def __post_init__(self) -> None:
        async def label_set(_family: str) -> frozenset[str]:
            return frozenset(self.labels)

        async def in_order(_family: str) -> tuple[str, ...]:
            return self.labels

        self.metrics = Metrics()
        self.put = Labels(self.database, self.metrics, label_set, lambda _device, _sequence: None, lambda: self.now)
        self.reviewing = Reviewing(self.database, self.put, in_order, lambda: self.now)
        self.audit: list[tuple[Facts | None, Facts | None]] = []
        self.device = 0

    async def keep(self, sequence: int, reason: Reason = Reason.NEAR_THRESHOLD, answer: str = "one") -> FrameId:
        """A frame that was answered and kept."""

        def stored(connection: Connection) -> None:
            self.device = self.device or enrolled(connection, self.family, self.family)
            answered(connection, self.device, sequence, f"{self.family}/1", at=NOW, label=answer)
            sample_files.reserve(connection, f"{self.family}{sequence}", 100, self.now)
            sample_files.claim(connection, f"{self.family}{sequence}")
            row = samples.NewSample(
                self.device, sequence, self.family, reason.value, f"{self.family}{sequence}", self.now
            )
            samples.add(connection, row)

        await self.database.write(stored)
        return FrameId(self.family, sequence)

    def witness(self, _transaction: Transaction, before: Facts | None, after: Facts | None) -> None:
        """The audit."""
        self.audit.append((before, after))

    async def shown(self, operator: str = "ada", reason: Reason | None = None) -> Shown | None:
        """What a person is shown."""
        return await self.reviewing.next_frame(operator, self.family, reason)

    async def name(self, operator: str = "ada", reason: Reason | None = None) -> str | None:
        """The frame that a person is shown."""
        shown = await self.shown(operator, reason)
        return None if shown is None else shown.sample.frame_id

    async def say(self, frame: FrameId, label: str, operator: str = "ada") -> None:
        """Label a frame."""
        await self.reviewing.label(frame, label, operator, self.witness)

    async def undo(self, frame: FrameId, operator: str = "ada") -> None:
        """Take back what was done last."""
        await self.reviewing.undo(frame, operator, self.witness)

    async def standing(self, frame: FrameId) -> tuple[str | None, str | None, str | None]:
        """A frame's label, its source, and who said so."""
        row = await self.database.read(
            lambda connection: samples.find(connection, public_id=frame.device, sequence=frame.sequence)
        )
        assert row is not None
        return row.label, row.source, row.labelled_by

    async def audited(self) -> tuple[int, int]:
        """How many labels of the random audit the hours of the family count, and how many of them agree."""
        of = hourly_answers.c
        query = select(func.sum(of.audited), func.sum(of.audited_correct)).where(of.family == self.family)
        found = await self.database.read(lambda connection: connection.execute(query).one())
        return found[0] or 0, found[1] or 0

    async def sums(self) -> tuple[int, int]:
        """How many labels the hours of the family count, and how many of them agree."""
        of = hourly_answers.c
        query = select(func.sum(of.labelled), func.sum(of.correct)).where(of.family == self.family)
        found = await self.database.read(lambda connection: connection.execute(query).one())
        return found[0] or 0, found[1] or 0

    def counted(self, name: str = "dctwire_feedback_total", **labels: str) -> float:
        """How many first labels the counter has seen."""
        parsed = text_string_to_metric_families(self.metrics.exposition().decode())
        samples = (sample for metric in parsed for sample in metric.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


Scenario = Callable[[Stand], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(connector: Connector) -> Run:
    """Run a scenario on a database, with a family and a day of its own."""

    def run_it(scenario: Scenario, labels: tuple[str, ...] = FEW) -> None:
        async def stand() -> None:
            database = Database(connector, asyncio.get_running_loop(), 30)
            try:
                number = next(_numbers)
                await scenario(Stand(database, f"digits{number}", labels, NOW + number * DAY))
            finally:
                await asyncio.to_thread(database.close)

        asyncio.run(stand())

    return run_it


def test_the_random_audit_comes_first_then_the_newest(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        audit = await stand.keep(1, Reason.RANDOM)
        older = await stand.keep(2)
        newest = await stand.keep(3, Reason.RARE_CLASS)
        for expected in (audit, newest, older):
            assert await stand.name() == str(expected)
            await stand.say(expected, "two")
        assert await stand.name() is None

    run(scenario)


def test_one_reason_alone_can_be_chosen(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.keep(1, Reason.RANDOM)
        rare = await stand.keep(2, Reason.RARE_CLASS)
        assert await stand.name(reason=Reason.RARE_CLASS) == str(rare)
        assert await stand.name(reason=Reason.DISAGREEMENT) is None

    run(scenario)


def test_two_people_are_not_shown_the_same_frame_until_a_claim_ends(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        older, newer = await stand.keep(1), await stand.keep(2)
        assert await stand.name("ada") == str(newer)
        assert await stand.name("bob") == str(older)
        assert await stand.name("eve") is None
        assert await stand.name("ada") == str(newer), "whoever looks again sees the same"
        stand.now += reviewing.CLAIM_SECONDS
        assert await stand.name("eve") == str(newer)

    run(scenario)


def test_whoever_is_shown_a_frame_keeps_it_though_newer_ones_come(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        first = await stand.keep(1)
        assert await stand.name() == str(first)
        await stand.keep(2)
        assert await stand.name() == str(first)

    run(scenario)


def test_a_frame_of_the_audit_is_shown_blind_and_its_label_is_an_audit(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        audit, other = await stand.keep(1, Reason.RANDOM), await stand.keep(2)
        shown = await stand.shown(reason=Reason.RANDOM)
        assert shown is not None and shown.is_blind
        await stand.say(audit, "two")
        await stand.say(other, "two")
        assert await stand.standing(audit) == ("two", "audit", "ada")
        assert await stand.standing(other) == ("two", "human", "ada")

    run(scenario)


def test_few_labels_are_suggested_all_of_them_in_their_order(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.keep(1, answer="two")
        shown = await stand.shown()
        assert shown is not None and shown.suggestions == FEW

    run(scenario)


def test_of_many_labels_the_answer_comes_first_then_what_such_answers_turned_out_to_be(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        for sequence, label in enumerate(("class 5", "class 5", "class 6")):
            await stand.say(await stand.keep(sequence, answer="class 1"), label)
        await stand.say(await stand.keep(10, answer="class 2"), "class 7")
        await stand.keep(20, answer="class 1")
        shown = await stand.shown()
        assert shown is not None
        assert shown.suggestions == ("class 1", "class 5", "class 6", "class 7", "class 2")

    run(scenario, MANY)


def test_no_suggestion_for_the_audit_comes_from_its_own_answer(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        for sequence, label in enumerate(("class 5", "class 5", "class 6")):
            await stand.say(await stand.keep(sequence, answer="class 1"), label)
        frame = await stand.keep(9, Reason.RANDOM, answer="class 6")
        shown = await stand.shown(reason=Reason.RANDOM)
        assert shown is not None and shown.sample.frame_id == str(frame)
        assert shown.suggestions == ("class 5", "class 6", "class 1"), (
            "the most frequent first, whatever it was answered"
        )

    run(scenario, MANY)


def test_a_skipped_frame_is_left_for_others_and_comes_back_later(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        older, newer = await stand.keep(1), await stand.keep(2)
        await stand.reviewing.skip(newer, "ada")
        assert await stand.name("ada") == str(older)
        assert await stand.name("bob") == str(newer)
        stand.now += reviewing.SKIP_SECONDS
        assert await stand.name("ada") == str(newer)

    run(scenario)


def test_a_skip_can_be_undone(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.keep(1)
        newer = await stand.keep(2)
        await stand.reviewing.skip(newer, "ada")
        assert await stand.reviewing.last_done("ada") == newer
        await stand.undo(newer)
        assert await stand.name() == str(newer)
        assert stand.audit == []

    run(scenario)


def test_an_undone_label_leaves_the_frame_without_one_and_the_sums_as_they_were(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1, answer="one")
        await stand.say(frame, "one")
        assert await stand.sums() == (1, 1)
        await stand.undo(frame)
        assert await stand.standing(frame) == (None, None, None)
        assert await stand.sums() == (0, 0)
        assert await stand.name() == str(frame), "it waits again"
        said = {"label": "one", "source": "human", "by": "ada"}
        assert stand.audit == [(None, said), (said, None)]

    run(scenario)


def test_a_frame_that_is_labelled_again_after_an_undo_is_counted_once(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1, answer="one")
        for label in ("two", "zero"):
            await stand.say(frame, label)
            await stand.undo(frame)
        await stand.say(frame, "one", "bob")
        assert stand.counted() == 1
        assert await stand.sums() == (1, 1)

    run(scenario)


def test_only_an_audit_of_a_frame_that_was_kept_at_random_counts_as_audited(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        doubtful, fair = await stand.keep(1, answer="one"), await stand.keep(2, Reason.RANDOM, answer="one")
        await stand.say(doubtful, "two")
        loud = LabelReport(label="two", source=LabelSource.AUDIT)
        await stand.put.put(fair, stand.device, stand.family, loud)  # of a device, which anybody may have broken into
        assert (await stand.sums(), await stand.audited()) == ((2, 0), (0, 0))
        by_a_person = LabelReport(label="two", source=LabelSource.HUMAN)
        await stand.put.review(fair, by_a_person, "ada", stand.witness)  # who may have been shown the answer
        assert await stand.audited() == (0, 0)
        await stand.say(fair, "one")
        assert (await stand.sums(), await stand.audited()) == ((2, 1), (1, 1))
        assert stand.counted() == 2
        assert stand.counted("dctwire_audited_frames_total", match="exact", correct="true") == 1
        assert stand.counted("dctwire_audited_frames_total") == 1

    run(scenario)


def test_an_audit_that_is_corrected_or_taken_back_is_summed_up_as_it_stands(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1, Reason.RANDOM, answer="one")
        await stand.say(frame, "one")
        assert await stand.audited() == (1, 1)
        await stand.undo(frame)
        assert await stand.audited() == (0, 0)
        await stand.say(frame, "two", "bob")
        assert await stand.audited() == (1, 0)
        correction = LabelReport(label="one", source=LabelSource.AUDIT)
        await stand.put.review(frame, correction, "ada", stand.witness)
        assert await stand.audited() == (1, 1)
        assert stand.counted("dctwire_audited_frames_total") == 1

    run(scenario)


def test_an_undone_label_gives_back_what_a_sensor_said(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1, Reason.DISAGREEMENT, answer="one")
        report = LabelReport(label="one", source=LabelSource.SENSOR)
        await stand.put.put(frame, stand.device, stand.family, report)
        assert await stand.name() == str(frame), "a sensor's word does not end the wait for a person's"
        await stand.say(frame, "two")
        assert await stand.sums() == (1, 0)
        await stand.undo(frame)
        assert await stand.standing(frame) == ("one", "sensor", stand.family)
        assert await stand.sums() == (1, 1)

    run(scenario)


def test_a_label_that_somebody_changed_since_is_not_taken_back(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1)
        await stand.say(frame, "one")
        await stand.put.review(frame, LabelReport(label="two", source=LabelSource.HUMAN), "bob", stand.witness)
        with pytest.raises(ConflictError, match="labelled anew"):
            await stand.undo(frame)
        assert await stand.standing(frame) == ("two", "human", "bob")

    run(scenario)


def test_a_label_that_its_own_giver_changed_elsewhere_since_is_not_taken_back(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1)
        await stand.say(frame, "one")
        stand.now += 1
        await stand.put.review(frame, LabelReport(label="two", source=LabelSource.HUMAN), "ada", stand.witness)
        with pytest.raises(ConflictError, match="labelled anew"):
            await stand.undo(frame)
        assert await stand.standing(frame) == ("two", "human", "ada")

    run(scenario)


def test_an_undone_label_of_a_device_in_quarantine_leaves_the_sums_as_they_were(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.keep(1, answer="one")

        def quarantined(connection: Connection) -> None:
            assignments.hold(connection, stand.device, HoldKind.QUARANTINE, None, "a smeared lens", NOW - 1)

        await stand.database.write(quarantined)
        frame = await stand.keep(2, answer="one")
        await stand.say(frame, "one")
        assert await stand.sums() == (0, 0)
        await stand.undo(frame)
        assert await stand.sums() == (0, 0)

    run(scenario)


def test_only_the_last_thing_that_the_same_person_did_is_undone(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        one, two = await stand.keep(1), await stand.keep(2)
        await stand.say(one, "one")
        stand.now += 1
        await stand.say(two, "two")
        for frame, operator in ((one, "ada"), (two, "bob")):
            with pytest.raises(ConflictError, match="not the frame"):
                await stand.undo(frame, operator)
        await stand.undo(two)
        await stand.undo(one)
        assert await stand.reviewing.last_done("ada") is None
        assert await stand.sums() == (0, 0)

    run(scenario)


def test_what_was_done_long_ago_stays(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        frame = await stand.keep(1)
        await stand.say(frame, "one")
        stand.now += reviewing.UNDO_SECONDS + 1
        assert await stand.reviewing.last_done("ada") is None
        with pytest.raises(ConflictError):
            await stand.undo(frame)

    run(scenario)


def test_progress_counts_what_people_have_labelled_by_reason(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        audit = await stand.keep(1, Reason.RANDOM)
        await stand.keep(2, Reason.RANDOM)
        await stand.put.put(
            await stand.keep(3), stand.device, stand.family, LabelReport(label="two", source=LabelSource.SENSOR)
        )
        await stand.say(audit, "one")
        progress = await stand.reviewing.progress(stand.family)
        told = {reason: (one.kept, one.labelled, one.waiting) for reason, one in progress.items()}
        assert told == {Reason.RANDOM: (2, 1, 1), Reason.NEAR_THRESHOLD: (1, 0, 1)}
        assert stand.family in await stand.reviewing.families()

    run(scenario)


def test_what_was_kept_long_ago_waits_no_more(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.keep(1)
        stand.now += reviewing.WINDOW_DAYS * 86_400 + 1
        assert await stand.name() is None
        assert await stand.reviewing.progress(stand.family) == {}

    run(scenario)


def test_a_frame_that_was_not_kept_is_named(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        with pytest.raises(NotFoundError, match=r"nobody\.1"):
            await stand.say(FrameId("nobody", 1), "one")
        with pytest.raises(NotFoundError, match=r"nobody\.1"):
            await stand.reviewing.skip(FrameId("nobody", 1), "ada")

    run(scenario)


def test_labels_are_searched_from_their_beginning_first() -> None:
    labels = ("sea lion", "Lion", "lioness", "tiger")
    assert matching(labels, " lion", 9) == ("Lion", "lioness", "sea lion")
    assert matching(labels, "LION", 2) == ("Lion", "lioness")
    assert matching(labels, "dog", 9) == ()


def test_a_detail_waits_for_nobody_and_is_in_no_progress(run: Run) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.keep(1, Reason.DETAIL)
        assert stand.family not in await stand.reviewing.families()
        assert await stand.name() is None and await stand.name(reason=Reason.DETAIL) is None
        assert await stand.reviewing.progress(stand.family) == {}
        await stand.keep(2)
        assert await stand.name() == f"{stand.family}.2"
        assert stand.family in await stand.reviewing.families()

    run(scenario)
