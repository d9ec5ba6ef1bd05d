"""The queue of those that review: one frame at a time, labelled, skipped, and the last one taken back.

Frames that were kept and that no person has labelled wait, the newest first. Two people are not shown the same frame at
once. Frames of the random audit are shown blind: without the classifier's answer, which would sway whoever looks; what
is said of them counts as an audit, and is what accuracy is told from.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.labels import Labelled, Labels, authority, take_back
from cloud_server.feedback.reasons import DAY_SECONDS, Reason
from cloud_server.feedback.samples import Sample
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices, labels, reviews, samples
from cloud_server.storage.rows.labels import LabelRow
from cloud_server.storage.rows.reviews import Did, Done, Wanted
from cloud_server.storage.witness import Witness
from shared.wire import LabelReport, LabelSource

WINDOW_DAYS = 14
"""Frames that were kept longer ago wait no more."""
CLAIM_SECONDS = 120.0
"""How long a frame is shown to nobody else."""
SKIP_SECONDS = 3600.0
"""How long a skipped frame is not shown again to whoever skipped it."""
UNDO_SECONDS = 3600.0
SUGGESTIONS_MAX = 9
"""As many as there are digits."""
_BY_A_PERSON = authority(LabelSource.SENSOR, is_operator=True)
_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How many frames of the window there are, and how many of them a person has labelled."""

    kept: int
    labelled: int

    @property
    def waiting(self) -> int:
        """How many frames still wait."""
        return self.kept - self.labelled


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that is shown to a person.

    Args:
        suggestions: labels that it may have, the likeliest first unless `is_blind`, at most `SUGGESTIONS_MAX`.
        is_blind: whether the answer must not be shown.
    """

    sample: Sample
    suggestions: tuple[str, ...]
    is_blind: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a person said of a frame, and what came of it."""

    sample: Sample
    labelled: Labelled


class Reviewing:
    """What people do who review.

    Args:
        label_set: the labels that a family's classifiers know, in their order.
        now: seconds since 1970.
        shard: of the hourly sums, this process's.
    """

    def __init__(
        self,
        database: Database,
        put: Labels,
        label_set: Callable[[str], Awaitable[tuple[str, ...]]],
        now: Callable[[], float] = time.time,
        shard: int = 0,
    ) -> None:
        self._database = database
        self._labels = put
        self._label_set = label_set
        self._now = now
        self._shard = shard

    async def families(self) -> Sequence[str]:
        """The families of which frames wait or have waited lately, by name."""
        return await self._database.read(partial(reviews.families, since=self._since()))

    async def progress(self, family: str) -> dict[Reason, Progress]:
        """How far the frames of a family are labelled; a reason without frames is not in it."""
        job = partial(reviews.progress, family=family, since=self._since(), authority=_BY_A_PERSON)
        return {Reason(row.reason): Progress(row.kept, row.labelled) for row in await self._database.read(job)}

    async def label_set(self, family: str) -> tuple[str, ...]:
        """The labels that a family's classifiers know, in their order."""
        return await self._label_set(family)

    async def next_frame(self, operator: str, family: str, reason: Reason | None) -> Shown | None:
        """The frame that a person is to look at: the one of before, until it is done with; None: none waits.

        Args:
            reason: kept for this one; None: for any, the random audit first.
        """
        for wanted in (Reason.RANDOM, None) if reason is None else (reason,):
            of = Wanted(operator, family, wanted and wanted.value, self._since(), _BY_A_PERSON)
            found = await self._database.write(partial(_claimed, wanted=of, now=self._now()))
            if found is not None:
                return await self._shown(Sample.of_row(found))
        return None

    async def label(self, frame: FrameId, label: str, operator: str, witness: Witness) -> Reviewed:
        """Say what a frame shows.

        Raises:
            NotFoundError: the frame was not kept, or is not there any more.
        """
        sample = await self._sample(frame)
        source = LabelSource.AUDIT if sample.reason is Reason.RANDOM else LabelSource.HUMAN
        noted = partial(_note_label, operator=operator)
        report = LabelReport(label=label, source=source)
        return Reviewed(sample, await self._labels.review(frame, report, operator, witness, noted))

    async def skip(self, frame: FrameId, operator: str) -> None:
        """Leave a frame for later, or for somebody else.

        Raises:
            NotFoundError: there is no such frame.
        """
        now = self._now()
        job = partial(_skip, frame=frame, operator=operator, now=now)
        if not await self._database.write(job):
            raise NotFoundError(f"frame {frame} is not among the samples any more")

    async def last_done(self, operator: str) -> FrameId | None:
        """The frame of which a person labelled or skipped last, and may still take that back; None: there is none."""
        since = self._now() - UNDO_SECONDS
        found = await self._database.read(partial(_last_done, operator=operator, since=since))
        return None if found is None else found[0]

    async def undo(self, frame: FrameId, operator: str, witness: Witness) -> None:
        """Take back what a person did last; the frame has again the label that it had before, and is shown again.

        Raises:
            ConflictError: it was another frame, or somebody has labelled this one since.
        """
        now = self._now()
        job = partial(_undo, frame=frame, operator=operator, now=now, shard=self._shard, witness=witness)
        refusal = await self._database.write(job)
        if refusal is not None:
            raise ConflictError(refusal)

    async def _shown(self, sample: Sample) -> Shown:
        is_blind = sample.reason is Reason.RANDOM
        known = await self._label_set(sample.family)
        if len(known) <= SUGGESTIONS_MAX:
            return Shown(sample, known, is_blind)
        job = partial(_suggested, sample=sample, since=self._since(), is_blind=is_blind)
        return Shown(sample, tuple(await self._database.read(job)), is_blind)

    async def _sample(self, frame: FrameId) -> Sample:
        row = await self._database.read(partial(samples.find, public_id=frame.device, sequence=frame.sequence))
        if row is None:
            raise NotFoundError(f"frame {frame} is not among the samples: it was not kept, or has expired")
        return Sample.of_row(row)

    def _since(self) -> float:
        return self._now() - WINDOW_DAYS * DAY_SECONDS


def matching(labels_known: Sequence[str], text: str, limit: int) -> tuple[str, ...]:
    """The labels that hold a text, those that begin with it first; case does not matter."""
    wanted = text.strip().casefold()
    fitting = [label for label in labels_known if wanted in label.casefold()]
    return tuple(sorted(fitting, key=lambda label: not label.casefold().startswith(wanted))[:limit])


def _claimed(transaction: Transaction, wanted: Wanted, now: float) -> samples.SampleRow | None:
    """The person's frame, theirs for a while from now on."""
    mine = reviews.claimed(transaction, wanted, now)
    candidates = reviews.waiting(transaction, wanted, now, _CANDIDATES) if mine is None else [mine]
    for frame in candidates:
        if reviews.claim(transaction, frame, wanted.operator, now, now + CLAIM_SECONDS):
            return samples.of_frame(transaction, *frame)
    return None


def _suggested(transaction: Transaction, sample: Sample, since: float, *, is_blind: bool) -> Sequence[str]:
    """Labels that a frame may have: of a blind one nothing is taken from its answer."""
    family, most = sample.family, SUGGESTIONS_MAX
    own = () if is_blind else (sample.answer, *reviews.given_to(transaction, family, sample.answer, since, most))
    usual = reviews.given_to(transaction, family, None, since, most)
    answers = reviews.answered_to(transaction, family, since, most)
    return list(dict.fromkeys((*own, *usual, *answers)))[:most]


def _note_label(transaction: Transaction, before: LabelRow | None, after: LabelRow, *, operator: str) -> None:
    frame, at = (after.device_id, after.sequence), after.labelled_at
    reviews.note(transaction, frame, operator, Did.LABEL, at, at, before)


def _skip(transaction: Transaction, frame: FrameId, operator: str, now: float) -> bool:
    device = devices.by_public_id(transaction, frame.device)
    if device is None or not samples.is_there(transaction, device.id, frame.sequence):
        return False
    reviews.note(transaction, (device.id, frame.sequence), operator, Did.SKIP, now, now + SKIP_SECONDS, None)
    return True


def _last_done(transaction: Transaction, operator: str, since: float) -> tuple[FrameId, Done, samples.SampleRow] | None:
    done = reviews.last_done(transaction, operator, since)
    row = None if done is None else samples.of_frame(transaction, done.device_id, done.sequence)
    return None if done is None or row is None else (FrameId(row.public_id, row.sequence), done, row)


def _undo(
    transaction: Transaction, frame: FrameId, operator: str, now: float, shard: int, witness: Witness
) -> str | None:
    """Take back what was done last; returns why that cannot be, None where it was."""
    found = _last_done(transaction, operator, now - UNDO_SECONDS)
    if found is None or found[0] != frame:
        return f"{frame} is not the frame that {operator} labelled or skipped last"
    _, done, sample = found
    if done.did is Did.LABEL:
        label = labels.find_any(transaction, done.device_id, done.sequence)
        if label is None or (label.labelled_by, label.labelled_at) != (operator, done.did_at):
            return f"frame {frame} was labelled anew meanwhile; that label stays"
        take_back(transaction, label, done.previous, sample.family, shard, witness)
    is_first = done.did is Did.LABEL and done.previous is None
    reviews.undo(transaction, done, now + CLAIM_SECONDS, is_first=is_first)
    return None
