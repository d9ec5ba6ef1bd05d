"""The frames that were kept, as people and the trainer look at them: newest first, a page at a time."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field

from cloud_server.errors import NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.labels import authority
from cloud_server.feedback.reasons import Reason
from cloud_server.storage.blobs import BlobMissingError, Blobs
from cloud_server.storage.database import Database
from cloud_server.storage.rows import samples as rows
from cloud_server.storage.rows import set_aside
from cloud_server.storage.rows.set_aside import WhySetAside
from shared.wire import Kind, LabelSource, Match

PAGE_MAX = 500
SET_ASIDE_PAGE_MAX = 1000
_BY_OPERATORS = authority(LabelSource.SENSOR, is_operator=True)
_BY_AUDIT = authority(LabelSource.AUDIT, is_operator=True)
_log = structlog.get_logger()


class Sample(BaseModel):
    """A kept frame, its answer, and its label where there is one; times in seconds since 1970.

    A detail's label is that of its frame.
    """

    model_config = ConfigDict(frozen=True)

    frame_id: str
    kind: Kind
    of: str | None = Field(description="A detail's: the frame that it belongs to.")
    family: str
    reason: Reason
    received_at: float = Field(description="When it was answered.")
    stored_at: float
    bytes: int = Field(description="Size of the JPEG file.")
    answer: str
    confidence: float
    model: str = Field(description="The bundle whose classifier answered.")
    match: Match
    tables: str
    label: str | None
    source: LabelSource | None
    is_correct: bool | None = Field(description="Whether the answer was the label.")
    is_foreign: bool | None = Field(description="Whether the family's classifier did not know the label.")
    is_reviewed: bool = Field(description="Whether the label came by the operator plane, not from a device.")
    is_audited: bool = Field(description="Whether the label is one of the random audit.")
    labelled_at: float | None
    labelled_by: str | None

    @classmethod
    def of_row(cls, row: rows.SampleRow) -> Self:
        """What a row says."""
        said: dict[str, Any] = {name: value for name, value in row._asdict().items() if name in cls.model_fields}
        rank = -1 if row.authority is None else row.authority
        is_detail = row.companion_of is not None
        said |= {
            "frame_id": f"{row.public_id}.{row.sequence}",
            "kind": Kind.FRAME if row.kind is None else Kind(row.kind),
            "of": f"{row.public_id}.{row.companion_of}" if is_detail else None,
            "received_at": row.received_at_ns / 1e9,
            "is_reviewed": rank >= _BY_OPERATORS,
            "is_audited": rank == _BY_AUDIT and row.reason == Reason.RANDOM,
        }
        if is_detail and row.label is not None:  # what was stored with the label is about the frame's answer
            said["is_correct"] = row.answer == row.label
        return cls(**said)


class SetAsideDevice(BaseModel):
    """A device whose frames nobody shall learn from, and why."""

    model_config = ConfigDict(frozen=True)

    device_id: str
    why: WhySetAside


class SetAsidePage(BaseModel):
    """Such devices, oldest first; `next` is where the following ones begin (`after`), where there are any."""

    model_config = ConfigDict(frozen=True)

    devices: tuple[SetAsideDevice, ...]
    next: int | None


class Page(BaseModel):
    """Samples, newest first; `next` is where older ones begin (`before`), where there are any."""

    model_config = ConfigDict(frozen=True)

    samples: tuple[Sample, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class SampleFilter:
    """Which samples are asked for; None asks for all. Times are in seconds since 1970, `until` is not included."""

    family: str | None = None
    reason: Reason | None = None
    is_detail: bool | None = None
    is_labelled: bool | None = None
    since: float | None = None
    until: float | None = None


class Samples:
    """Reads samples; nothing here changes any."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def page(self, wanted: SampleFilter, before: int | None, limit: int) -> Page:
        """At most `limit` samples that are older than `before`, as an earlier page's `next` has it."""
        query = rows.SampleQuery(
            family=wanted.family,
            reason=None if wanted.reason is None else wanted.reason.value,
            is_detail=wanted.is_detail,
            is_labelled=wanted.is_labelled,
            since=wanted.since,
            until=wanted.until,
            before=before,
        )
        found = await self._database.read(partial(rows.newest, wanted=query, limit=limit + 1))
        shown = found[:limit]
        return Page(samples=tuple(map(Sample.of_row, shown)), next=shown[-1].id if len(found) > limit else None)

    async def find(self, frame: FrameId) -> Sample:
        """The sample of this frame.

        Raises:
            NotFoundError: the frame was not kept, or the sample has expired.
        """
        return Sample.of_row(await self._row(frame))

    async def file(self, frame: FrameId) -> bytes:
        """The sample's JPEG, with its tables: any viewer opens it.

        Raises:
            NotFoundError: the frame was not kept, or the sample or its file is gone.
        """
        sha256 = (await self._row(frame)).sha256
        try:
            return await asyncio.to_thread(self._blobs.read, sha256)
        except BlobMissingError as error:
            _log.error("sample-file-missing", frame=str(frame), sha256=sha256)
            raise NotFoundError(f"the file of frame {frame} is gone") from error

    async def set_aside(self, family: str, after: int | None, limit: int) -> SetAsidePage:
        """At most `limit` devices of a family whose frames nobody shall learn from, beyond an earlier page's `next`."""
        found = await self._database.read(partial(set_aside.page, family=family, after=after, limit=limit + 1))
        shown = found[:limit]
        devices = tuple(SetAsideDevice(device_id=row.public_id, why=row.why) for row in shown)
        return SetAsidePage(devices=devices, next=shown[-1].id if len(found) > limit else None)

    async def _row(self, frame: FrameId) -> rows.SampleRow:
        row = await self._database.read(partial(rows.find, public_id=frame.device, sequence=frame.sequence))
        if row is None:
            raise NotFoundError(f"frame {frame} is not among the samples: it was not kept, or has expired")
        return row
