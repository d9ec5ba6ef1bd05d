"""One device's page: what it should run and runs, what it costs and achieves, what it told; and what is done to it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from cloud_server.console.device_view import DAY_SECONDS, DAYS, Known, device_view
from cloud_server.console.door import Door
from cloud_server.console.sections import ROOT
from cloud_server.console.visit import Fields, Visit
from cloud_server.errors import NotFoundError
from cloud_server.feedback.device_record import DeviceRecords
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.listing import Listing
from cloud_server.fleet.tags import TAG_CHARACTERS_MAX, TAGS_MAX, tags_in
from cloud_server.fleet.traffic import Traffic
from cloud_server.operators.roles import Role
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.rows.diagnostics import DiagnosticsRow
from shared.errors import PeerError
from shared.wire import DIAGNOSTICS_MEDIA_TYPE

PATH = "/fleet/{device}"
ANSWERS, KEPT = 10, 12
"""So many of the newest frames are listed, and so many pictures shown."""
COUNTERS_MAX = 50
REASON_MAX, NAME_MAX = 200, 64
TAGS_TEXT_MAX = TAGS_MAX * (TAG_CHARACTERS_MAX + 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceParts:
    """What the pages of the fleet show and do: the use cases that the API calls, too."""

    listing: Listing
    devices: Devices
    assignments: Assignments
    assigning: Assigning
    diagnostics: Diagnostics
    catalogue: Catalogue
    traffic: Traffic
    records: DeviceRecords
    samples: Samples


def device_routes(door: Door, parts: DeviceParts) -> tuple[Route, ...]:
    """The page, its pictures, and its forms."""
    page, marks, holds, names = _Page(parts), _Marks(parts), _Holds(parts), _Names(parts)

    def form(action: str, act: Callable[[Visit, Fields], Awaitable[Response]], role: Role = Role.OPERATOR) -> Route:
        return door.form(f"{PATH}/{action}", act, role)

    return (
        door.page(PATH, page.show),
        door.page(f"{PATH}/frames/{{sequence}}.jpg", page.picture, Role.TRAINER),
        door.page(f"{PATH}/diagnostics.tar.gz", page.archive, Role.OPERATOR),
        form("revoke", marks.revoke),
        form("restore", marks.restore),
        form("clear-clone-mark", marks.clear_clone_mark),
        form("forget", marks.forget, Role.ADMIN),
        form("pin", holds.pin),
        form("unpin", holds.unpin),
        form("quarantine", holds.quarantine),
        form("release", holds.release),
        form("rename", names.rename),
        form("tags", names.tag),
        form("diagnose", names.diagnose),
    )


def address_of(public_id: str) -> str:
    """The page of a device."""
    return f"{ROOT}/fleet/{public_id}"


class _Page:
    """What is shown."""

    def __init__(self, parts: DeviceParts) -> None:
        self._parts = parts

    async def show(self, visit: Visit) -> Response:
        """The page."""
        parts = self._parts
        described = await parts.listing.describe(visit.part("device"))
        row = described.listed.row
        days, labelled, answers, kept, asked = await asyncio.gather(
            parts.traffic.of_device(row.id, DAYS),
            parts.records.labelled(row.id),
            parts.records.newest(row.id, ANSWERS),
            parts.records.kept(row.id, KEPT if visit.may(Role.TRAINER) else 0),
            self._asked(row.public_id),
        )
        known = Known(
            described=described,
            exposure=parts.assignments.exposure(row.family),
            days=days,
            labelled=labelled,
            answers=answers,
            kept=kept,
            today=int(visit.now) // DAY_SECONDS,
        )
        return visit.page(
            "device.html",
            device=device_view(known, visit.now),
            here=address_of(row.public_id),
            asked=asked,
            counters=self._counters(row.family, described.listed.floor),
            reason_max=REASON_MAX,
            name_max=NAME_MAX,
            tags_text_max=TAGS_TEXT_MAX,
        )

    async def picture(self, visit: Visit) -> Response:
        """A frame that was kept, as a JPEG with its tables: the bytes came from a device."""
        frame = FrameId.parse(f"{visit.part('device')}.{visit.part('sequence')}")
        file = await self._parts.samples.file(frame)
        return Response(file, headers={"cache-control": "private, max-age=3600"}, media_type="image/jpeg")

    async def archive(self, visit: Visit) -> Response:
        """The archive that the device sent last, as it came."""
        device = visit.part("device")
        row = await self._parts.diagnostics.newest(device)
        if row.archive is None:
            raise NotFoundError(f"device {device} has not sent its diagnostics yet")
        headers = {"content-disposition": f'attachment; filename="{device}-diagnostics.tar.gz"'}
        return Response(row.archive, headers=headers, media_type=DIAGNOSTICS_MEDIA_TYPE)

    async def _asked(self, public_id: str) -> DiagnosticsRow | None:
        """The last request for diagnostics; None where there is none."""
        try:
            return await self._parts.diagnostics.newest(public_id)
        except NotFoundError:
            return None

    def _counters(self, family: str, floor: int) -> list[int]:
        """The bundles at which a device of the family may be held, the newest first."""
        return [counter for counter in reversed(self._parts.catalogue.counters(family)) if counter >= floor][
            :COUNTERS_MAX
        ]


class _Marks:
    """Who is let in."""

    def __init__(self, parts: DeviceParts) -> None:
        self._devices = parts.devices

    async def revoke(self, visit: Visit, _fields: Fields) -> Response:
        """Refuse whatever the device sends."""
        device = visit.part("device")
        await self._devices.revoke(device, visit.witness("device.revoke", device))
        return visit.go(address_of(device), "The device is revoked: from now on its frames are refused.")

    async def restore(self, visit: Visit, _fields: Fields) -> Response:
        """Let the device in again."""
        device = visit.part("device")
        await self._devices.restore(device, visit.witness("device.restore", device))
        return visit.go(address_of(device), "The device is let in again.")

    async def clear_clone_mark(self, visit: Visit, _fields: Fields) -> Response:
        """Say that the device is one after all."""
        device = visit.part("device")
        await self._devices.clear_clone_mark(device, visit.witness("device.clear-clone-mark", device))
        return visit.go(address_of(device), "The mark is taken away; a new suspicion sets it again.")

    async def forget(self, visit: Visit, fields: Fields) -> Response:
        """Keep the device out for good, and delete its data."""
        device = visit.part("device")
        if fields.text("device", 16) != device:
            raise PeerError("type the device's id to have it forgotten: that cannot be undone")
        await self._devices.forget(device, visit.witness("device.forget", device))
        return visit.go(f"{ROOT}/fleet", f"Device {device} is forgotten: its data are being deleted.")


class _Holds:
    """At which bundle the device is held."""

    def __init__(self, parts: DeviceParts) -> None:
        self._devices = parts.devices
        self._assignments = parts.assignments
        self._assigning = parts.assigning

    async def pin(self, visit: Visit, fields: Fields) -> Response:
        """Have the device run a bundle, whatever its family is assigned."""
        device, counter = await self._device(visit), fields.number("counter")
        if counter is None or counter < 1:
            raise PeerError("choose the version to which the device is pinned")
        await self._assigning.pin(device, counter, visit.witness("device.pin", device.public_id))
        return visit.go(address_of(device.public_id), f"The device is pinned to v{counter}.")

    async def unpin(self, visit: Visit, _fields: Fields) -> Response:
        """Have the device run what its family runs."""
        device = await self._device(visit)
        await self._assignments.let_go(device, HoldKind.PIN, visit.witness("device.unpin", device.public_id))
        return visit.go(address_of(device.public_id), "The device runs what its family runs.")

    async def quarantine(self, visit: Visit, fields: Fields) -> Response:
        """Hold the device, and count its frames nowhere."""
        device, counter, reason = await self._device(visit), fields.number("counter"), fields.text("reason", REASON_MAX)
        if not reason:
            raise PeerError("say why the device is put into quarantine")
        if counter is not None and counter < 1:
            raise PeerError("choose the version at which the device is held")
        witness = visit.witness("device.quarantine", device.public_id)
        await self._assigning.quarantine(device, counter, reason, witness)
        return visit.go(address_of(device.public_id), "The device is in quarantine: its frames count nowhere.")

    async def release(self, visit: Visit, _fields: Fields) -> Response:
        """End the quarantine."""
        device = await self._device(visit)
        await self._assignments.let_go(device, HoldKind.QUARANTINE, visit.witness("device.release", device.public_id))
        return visit.go(address_of(device.public_id), "The quarantine is over: frames from now on count again.")

    async def _device(self, visit: Visit) -> Device:
        return await self._devices.find(visit.part("device"))


class _Names:
    """What the device is called and asked."""

    def __init__(self, parts: DeviceParts) -> None:
        self._listing = parts.listing
        self._diagnostics = parts.diagnostics

    async def rename(self, visit: Visit, fields: Fields) -> Response:
        """Give the device a name, or none."""
        device, name = visit.part("device"), fields.text("name", NAME_MAX) or None
        await self._listing.rename(device, name, visit.witness("device.rename", device))
        return visit.go(address_of(device), f"The device is called {name}." if name else "The device has no name.")

    async def tag(self, visit: Visit, fields: Fields) -> Response:
        """Change the tags to what was typed: what was there when the form was made, and is not typed any more, goes."""
        device = visit.part("device")
        before, after = (tags_in(fields.text(name, TAGS_TEXT_MAX)) for name in ("before", "tags"))
        add, remove = [tag for tag in after if tag not in before], [tag for tag in before if tag not in after]
        await self._listing.change_tags(device, visit.witness("device.tag", device), add=add, remove=remove)
        return visit.go(address_of(device), "The tags are changed.")

    async def diagnose(self, visit: Visit, _fields: Fields) -> Response:
        """Ask the device for diagnostics."""
        device = visit.part("device")
        await self._diagnostics.ask(device, visit.witness("device.diagnose", device))
        return visit.go(address_of(device), "The device is asked; it answers when it is next heard of.")
