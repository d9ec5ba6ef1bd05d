"""Rows of reviews: which frame a person is looking at, what was done last to it, and the queue of those that wait.

    claim -> label, which keeps what was there before -> undo, which puts it back
    claim -> skip -> undo

A claim is soft: until it ends nobody else is shown the frame, and whoever labels the frame in another way may.
Details are kept, too, and none of them waits: their labels are those of their frames.
"""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import Insert

from cloud_server.storage.rows.labels import LabelRow
from cloud_server.storage.schema import labels, results, reviews, samples
from shared.wire import Kind


class Did(StrEnum):
    """What a person did to a frame."""

    LABEL = "label"
    SKIP = "skip"


class Done(NamedTuple):
    """The last thing that a person did.

    Args:
        did_at: seconds since 1970.
        previous: the frame's label before; None: it had none.
    """

    device_id: int
    sequence: int
    did: Did
    did_at: float
    previous: LabelRow | None


class Wanted(NamedTuple):
    """Whose next frame is asked for, and of which ones.

    Args:
        reason: kept for this one; None: for any.
        since: stored from then on, in seconds since 1970.
        authority: whatever label a person gave has at least this one; a frame whose label has less still waits.
    """

    operator: str
    family: str
    reason: str | None
    since: float
    authority: int


class Progress(NamedTuple):
    """How many kept frames of a reason there are, and how many of them a person has labelled."""

    reason: str
    kept: int
    labelled: int


_is_no_detail = samples.c.reason != Kind.DETAIL.value
_is_labelled = and_(labels.c.device_id == samples.c.device_id, labels.c.sequence == samples.c.sequence)
_is_reviewed = and_(reviews.c.device_id == samples.c.device_id, reviews.c.sequence == samples.c.sequence)
_is_answered = and_(results.c.device_id == samples.c.device_id, results.c.sequence == samples.c.sequence)


def waiting(connection: Connection, wanted: Wanted, now: float, limit: int) -> Sequence[tuple[int, int]]:
    """At most `limit` frames, (device, sequence), that wait for a label, the newest first.

    Those that somebody else is looking at, and those that the person has skipped lately, are left out.
    """
    is_free = or_(
        reviews.c.until.is_(None),
        reviews.c.until <= now,
        and_(reviews.c.operator == wanted.operator, reviews.c.did.is_(None)),
        and_(reviews.c.operator != wanted.operator, reviews.c.did == Did.SKIP.value),
    )
    query = _of_queue(wanted).outerjoin(reviews, _is_reviewed).where(is_free)
    return [(row[0], row[1]) for row in connection.execute(query.order_by(samples.c.id.desc()).limit(limit))]


def claimed(connection: Connection, wanted: Wanted, now: float) -> tuple[int, int] | None:
    """The frame of the queue that the person is looking at already; None: there is none."""
    is_mine = and_(reviews.c.operator == wanted.operator, reviews.c.until > now, reviews.c.did.is_(None))
    query = _of_queue(wanted).join(reviews, _is_reviewed).where(is_mine).order_by(reviews.c.until.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def claim(connection: Connection, frame: tuple[int, int], operator: str, now: float, until: float) -> bool:
    """Show a frame to a person alone until then; False where somebody else is looking at it."""
    adding = Insert(reviews)
    is_free = or_(reviews.c.operator == operator, reviews.c.until <= now, reviews.c.did == Did.SKIP.value)
    renewed = {"operator": operator, "until": until, "did": None, "did_at": None, "previous": None}
    upsert = adding.on_conflict_do_update(
        index_elements=["device_id", "sequence"], set_=renewed, where=is_free
    ).execution_options(preserve_rowcount=True)
    row = {"device_id": frame[0], "sequence": frame[1], "was_undone": False} | renewed
    return connection.execute(upsert, row).rowcount == 1


def note(
    connection: Connection,
    frame: tuple[int, int],
    operator: str,
    did: Did,
    at: float,
    until: float,
    previous: LabelRow | None,
) -> None:
    """Note what a person did to a frame, in the place of what was noted of it before."""
    adding = Insert(reviews)
    done = {"operator": operator, "until": until, "did": did.value, "did_at": at, "previous": _text(previous)}
    upsert = adding.on_conflict_do_update(index_elements=["device_id", "sequence"], set_=done)
    connection.execute(upsert, {"device_id": frame[0], "sequence": frame[1], "was_undone": False} | done)


def last_done(connection: Connection, operator: str, since: float) -> Done | None:
    """What a person did last, unless that was before a time; None: nothing, or it is undone."""
    its = reviews.c
    query = (
        select(its.device_id, its.sequence, its.did, its.did_at, its.previous)
        .where(its.operator == operator, its.did_at >= since)
        .order_by(its.did_at.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Done(row[0], row[1], Did(row[2]), row[3], _row(row[4]))


def undo(connection: Connection, done: Done, until: float, *, is_first: bool) -> None:
    """Have the person look at the frame again until then.

    Args:
        is_first: whether the frame has no label now, so that the next one must not be counted as its first again.
    """
    this = (reviews.c.device_id == done.device_id) & (reviews.c.sequence == done.sequence)
    again: dict[str, Any] = {"did": None, "did_at": None, "previous": None, "until": until}
    connection.execute(update(reviews).where(this).values(**again | ({"was_undone": True} if is_first else {})))


def was_undone(connection: Connection, device_id: int, sequence: int) -> bool:
    """Whether a first label of the frame was counted, and taken back."""
    this = (reviews.c.device_id == device_id) & (reviews.c.sequence == sequence)
    return bool(connection.execute(select(reviews.c.was_undone).where(this)).scalar_one_or_none())


def progress(connection: Connection, family: str, since: float, authority: int) -> Sequence[Progress]:
    """How far the kept frames of a family are labelled, by reason."""
    query = (
        select(samples.c.reason, func.count(), func.count(labels.c.sequence))
        .outerjoin(labels, and_(_is_labelled, labels.c.authority >= authority))
        .where(samples.c.family == family, samples.c.stored_at >= since, _is_no_detail)
        .group_by(samples.c.reason)
        .order_by(samples.c.reason)
    )
    return [Progress(*row) for row in connection.execute(query)]


def families(connection: Connection, since: float) -> Sequence[str]:
    """The families of which frames were kept since a time, by name."""
    query = select(samples.c.family).where(samples.c.stored_at >= since, _is_no_detail)
    query = query.distinct().order_by(samples.c.family)
    return connection.execute(query).scalars().all()


def given_to(connection: Connection, family: str, answer: str | None, since: float, limit: int) -> Sequence[str]:
    """The labels that kept frames got, the most frequent first.

    Args:
        answer: of frames that were answered so; None: of all.
    """
    query = select(labels.c.label).select_from(samples).join(labels, _is_labelled)
    if answer is not None:
        query = query.join(results, _is_answered).where(results.c.label == answer)
    return _most_frequent(connection, query, labels.c.label, family, since, limit)


def answered_to(connection: Connection, family: str, since: float, limit: int) -> Sequence[str]:
    """What kept frames were answered, the most frequent first."""
    query = select(results.c.label).select_from(samples).join(results, _is_answered)
    return _most_frequent(connection, query, results.c.label, family, since, limit)


def _most_frequent(
    connection: Connection, query: Select[Any], of: ColumnElement[str], family: str, since: float, limit: int
) -> Sequence[str]:
    this = query.where(samples.c.family == family, samples.c.stored_at >= since, _is_no_detail)
    return connection.execute(this.group_by(of).order_by(func.count().desc(), of).limit(limit)).scalars().all()


def _of_queue(wanted: Wanted) -> Select[Any]:
    """The kept frames that wait for a label."""
    query = (
        select(samples.c.device_id, samples.c.sequence)
        .outerjoin(labels, _is_labelled)
        .where(
            samples.c.family == wanted.family,
            samples.c.stored_at >= wanted.since,
            _is_no_detail,
            or_(labels.c.authority.is_(None), labels.c.authority < wanted.authority),
        )
    )
    return query if wanted.reason is None else query.where(samples.c.reason == wanted.reason)


def _text(row: LabelRow | None) -> str | None:
    return None if row is None else json.dumps(row._asdict())


def _row(text: str | None) -> LabelRow | None:
    return None if text is None else LabelRow(**json.loads(text))
