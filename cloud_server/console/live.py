"""Live: the frames that were answered last, as pictures for people; and the pictures of kept frames.

Pictures are made for whoever looks, by putting a frame's tables back: the browser decodes them. Whoever answers frames
knows nothing of it. A process shows the frames that it answered itself, a few a second; of those that others answered
it shows the kept ones.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from starlette.responses import Response

from cloud_server.console.door import Door
from cloud_server.console.kept_for import REASONS
from cloud_server.console.sections import Section
from cloud_server.console.stream import LiveParts
from cloud_server.console.visit import Visit
from cloud_server.errors import NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.latest_frames import LatestFrame, LatestFrames
from cloud_server.feedback.samples import Sample, SampleFilter, Samples
from cloud_server.fleet.devices import Devices
from cloud_server.operators.roles import Role
from cloud_server.registry.catalogue import Catalogue

SHOWN = 24
KEPT_SHOWN = 12
AT_ONCE = 2
"""So many pictures are made at a time: they must not take the cores from frames."""
PICTURE_HEADERS = {
    "cache-control": "private, max-age=600",
    "content-disposition": "inline",
    "x-content-type-options": "nosniff",  # the bytes came from a device
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as the page shows it.

    Args:
        version: what answered: `v2`, or a fallback's name.
        note: why it was kept, or what is unusual about it; empty: nothing.
        kind: `warn` where that is unusual.
    """

    frame_id: str
    device: str
    answer: str
    confidence: float
    version: str
    at: str
    note: str
    kind: str


def picture_of(frame: LatestFrame, device: str) -> Picture:
    """An answered frame of a device, by the device's own name."""
    notes = [] if frame.is_counted else ["in quarantine, counts nowhere"]
    notes += [] if frame.match.value == "exact" else [f"match: {frame.match.value}"]
    return Picture(
        frame_id=f"{device}.{frame.sequence}",
        device=device,
        answer=frame.label,
        confidence=frame.confidence,
        version=version_of(frame.model),
        at=_clock(frame.answered_at),
        note=", ".join(notes),
        kind="warn",
    )


def kept_picture(sample: Sample) -> Picture:
    """A kept frame."""
    device, _, _ = sample.frame_id.rpartition(".")
    is_usual = sample.match.value == "exact"
    return Picture(
        frame_id=sample.frame_id,
        device=device,
        answer=sample.answer,
        confidence=sample.confidence,
        version=version_of(sample.model),
        at=_clock(sample.stored_at),
        note=REASONS[sample.reason] + ("" if is_usual else f", match: {sample.match.value}"),
        kind="quiet" if is_usual else "warn",
    )


def version_of(model: str) -> str:
    """A bundle's name in short, `v2` of `digits/2`; a fallback's own name."""
    _, _, name = model.rpartition("/")
    return f"v{name}" if name.isdecimal() else name


class Pictures:
    """The JPEG files of frames, those in memory and those that are kept."""

    def __init__(self, latest: LatestFrames, devices: Devices, samples: Samples) -> None:
        self._latest = latest
        self._devices = devices
        self._samples = samples
        self._making = asyncio.Semaphore(AT_ONCE)

    def newest(self, limit: int, family: str | None) -> list[Picture]:
        """The latest frames that this process answered, of devices that are still there."""
        named = ((frame, self._devices.of_row(frame.device_id)) for frame in self._latest.newest(limit, family))
        return [picture_of(frame, device.public_id) for frame, device in named if device is not None]

    async def show(self, visit: Visit) -> Response:
        """The picture of a frame, at its own size."""
        frame = FrameId.parse(visit.part("frame"))
        return Response(await self._jpeg(frame), headers=PICTURE_HEADERS, media_type="image/jpeg")

    async def _jpeg(self, frame: FrameId) -> bytes:
        held = next((one for one in self._latest.numbered(frame.sequence) if self._is_of(one, frame.device)), None)
        if held is None:
            return await self._samples.file(frame)
        async with self._making:
            return await asyncio.to_thread(held.jpeg)

    def _is_of(self, frame: LatestFrame, public_id: str) -> bool:
        device = self._devices.of_row(frame.device_id)
        return device is not None and device.public_id == public_id


class _Live:
    """The page and its stream."""

    def __init__(
        self,
        door: Door,
        pictures: Pictures,
        latest: LatestFrames,
        samples: Samples,
        catalogue: Catalogue,
        live: LiveParts,
    ) -> None:
        self._door = door
        self._catalogue = catalogue
        self._pictures = pictures
        self._latest = latest
        self._samples = samples
        self._live = live

    async def show(self, visit: Visit) -> Response:
        """The page."""
        family = visit.query.text("family") or None
        kept = await self._samples.page(SampleFilter(family=family, is_detail=False), None, KEPT_SHOWN)
        return visit.page(
            "live.html",
            part=self._part(visit, family),
            kept=[kept_picture(sample) for sample in kept.samples],
            family=family or "",
            families=self._latest.families(),
        )

    async def follow(self, visit: Visit) -> Response:
        """The stream of what this process answers."""
        family = visit.query.text("family") or None
        if family is not None and all(one.family != family for one in self._catalogue.every()):
            raise NotFoundError("there is no such family")

        async def render() -> str:
            return self._part(visit, family)

        is_let_in = partial(self._door.is_let_in, visit.request, Role.TRAINER)
        return self._live.stream(f"live {family or ''}", visit.name, render, is_let_in)

    def _part(self, visit: Visit, family: str | None) -> str:
        return visit.desk.pages.render("live_part.html", pictures=self._pictures.newest(SHOWN, family))


def live_section(
    door: Door, latest: LatestFrames, devices: Devices, samples: Samples, catalogue: Catalogue, live: LiveParts
) -> Section:
    """Live frames, and every picture that the console shows."""
    pictures = Pictures(latest, devices, samples)
    page = _Live(door, pictures, latest, samples, catalogue, live)
    routes = (
        door.page("/live", page.show, Role.TRAINER),
        door.stream("/stream/live", page.follow, Role.TRAINER),
        door.page("/frames/{frame}/jpeg", pictures.show, Role.TRAINER),
    )
    return Section("Live", "/live", Role.TRAINER, routes, key="l")


def _clock(at: float) -> str:
    """A time of the day, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
