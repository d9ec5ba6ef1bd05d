"""The devices: see them, name them, say which are let in, and hold single ones at a bundle."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.device_rows import DeviceDetails, DevicePage, DeviceRow, FleetCounts
from cloud_server.api.operator.fleet import ASSIGN_PROBLEMS, Counter
from cloud_server.api.operator.operator_auth import audited, requires
from cloud_server.api.operator.written import written
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.listing import PAGE_MAX, Listing
from cloud_server.fleet.tags import TAG, TAG_CHARACTERS_MAX, TAGS_MAX
from cloud_server.operators.roles import Role
from cloud_server.registry.assigning import Assigning
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.rows.fleet import DeviceQuery
from shared.bundle import Family
from shared.plain_text import PLAIN
from shared.wire import ProblemCode

DEVICE = "/v1/devices/{device_id}"
PIN = f"{DEVICE}/pin"
QUARANTINE = f"{DEVICE}/quarantine"
DeviceId = Annotated[str, Path(description="as enrolment gave it", pattern=r"^[a-z0-9]{1,16}$")]
Tag = Annotated[str, StringConstraints(max_length=TAG_CHARACTERS_MAX, pattern=TAG)]
Seconds = Annotated[float, Query(ge=0, le=1e11, allow_inf_nan=False)]
ROW_ID_MAX = 2**31 - 1
"""PostgreSQL's INTEGER; a page's `next` is a row's id."""
_FOUND_OR_NOT = (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)
_CHANGED_OR_NOT = (*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND)
_HELD_OR_NOT = (*_CHANGED_OR_NOT, *ASSIGN_PROBLEMS)


class PinRequest(Message):
    """Which bundle a device should run, whatever its family runs."""

    counter: Counter


class QuarantineRequest(Message):
    """Why a device is put into quarantine, and at which bundle it is held."""

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN)]
    counter: Counter | None = Field(default=None, description="Null: what it runs, or else its family's.")


class Forgotten(Message):
    """A device whose data are being deleted."""

    device_id: str


class NameRequest(Message):
    """What a device shall be called; null: nothing."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN)] | None


class TagsRequest(Message):
    """Tags to add and to remove; one that has a key replaces the one with the same key."""

    add: Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX)] = ()
    remove: Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX, description="Whole tags, or keys of tags.")] = ()


def devices_router(listing: Listing) -> APIRouter:
    """See the devices."""
    router, may_look = endpoints(), [requires(Role.VIEWER)]

    @router.get(
        "/v1/devices",
        response_model=DevicePage,
        dependencies=may_look,
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_devices(
        family: Annotated[Family | None, Query(description="of this family")] = None,
        tag: Annotated[Tag | None, Query(description="that have this tag, or a tag with this key")] = None,
        name: Annotated[str | None, Query(description="with this beginning", max_length=64, pattern=PLAIN)] = None,
        tables: Annotated[str | None, Query(description="that last sent these", max_length=16, pattern=PLAIN)] = None,
        seen_after: Annotated[Seconds | None, Query(description="that were here since")] = None,
        seen_before: Annotated[Seconds | None, Query(description="that were not here since")] = None,
        revoked: Annotated[bool | None, Query(description="that are revoked, or are not")] = None,
        pinned: Annotated[bool | None, Query(description="that are pinned, or are not")] = None,
        quarantined: Annotated[bool | None, Query(description="that are in quarantine, or are not")] = None,
        suspected_clone: Annotated[bool | None, Query(description="that seem to be two, or do not")] = None,
        on_trial: Annotated[bool | None, Query(description="that have a bundle on trial, or do not")] = None,
        outcome: Annotated[str | None, Query(description="of the last update", max_length=16, pattern=PLAIN)] = None,
        after: Annotated[int | None, Query(description="an earlier page's `next`", ge=1, le=ROW_ID_MAX)] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = PAGE_MAX,
    ) -> Response:
        """A page of devices, oldest first; send its `next` as `after` for the following ones."""
        wanted = DeviceQuery(
            family=family,
            tag=tag,
            name=name,
            tables=tables,
            seen_after=seen_after,
            seen_before=seen_before,
            is_revoked=revoked,
            is_pinned=pinned,
            is_quarantined=quarantined,
            is_suspected_clone=suspected_clone,
            is_on_trial=on_trial,
            outcome=outcome,
            after=after,
        )
        listed, following = await listing.page(wanted, limit)
        return await written(lambda: DevicePage(devices=tuple(map(DeviceRow.of, listed)), next=following))

    @router.get(DEVICE, dependencies=may_look, response_description="The device.", responses=problems(*_FOUND_OR_NOT))
    async def get_device(device_id: DeviceId) -> DeviceDetails:
        """All that is known of a device: also its last heartbeat, and what it told of its newest assignments."""
        return DeviceDetails.described(await listing.describe(device_id))

    return router


def fleet_router(listing: Listing, assignments: Assignments) -> APIRouter:
    """Count the devices."""
    router = endpoints()

    @router.get(
        "/v1/fleet",
        response_model=FleetCounts,
        dependencies=[requires(Role.VIEWER)],
        response_description="The counts.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def count_devices() -> Response:
        """How many devices each family has, by the tables that they last sent, and how many are marked."""
        counted, held, trials = await listing.counts(), assignments.count_held(), await listing.trials()
        below = assignments.count_below(await listing.floors())
        return await written(lambda: FleetCounts.of(counted, held, below, trials))

    return router


def names_router(listing: Listing) -> APIRouter:
    """Name and tag devices. All of it is safe to repeat."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.put(
        f"{DEVICE}/name", dependencies=may_steer, response_description="Named.", responses=problems(*_CHANGED_OR_NOT)
    )
    async def rename(
        request: Request, wanted: Annotated[NameRequest, Depends(command(NameRequest))], device_id: DeviceId
    ) -> DeviceRow:
        """Give the device a name; names need not differ."""
        remark(request, device=device_id)
        await listing.rename(device_id, wanted.name, audited(request, "device.rename", device_id))
        return DeviceRow.of(await listing.find(device_id))

    @router.post(
        f"{DEVICE}/tags", dependencies=may_steer, response_description="Tagged.", responses=problems(*_CHANGED_OR_NOT)
    )
    async def change_tags(
        request: Request, wanted: Annotated[TagsRequest, Depends(command(TagsRequest))], device_id: DeviceId
    ) -> DeviceRow:
        """Remove tags from the device, and add others."""
        remark(request, device=device_id)
        witness = audited(request, "device.tag", device_id)
        await listing.change_tags(device_id, witness, add=wanted.add, remove=wanted.remove)
        return DeviceRow.of(await listing.find(device_id))

    return router


def marks_router(devices: Devices, listing: Listing) -> APIRouter:
    """Say which devices are let in, and take the mark of a clone away. All of it is safe to repeat."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.put(
        f"{DEVICE}/revocation",
        dependencies=may_steer,
        response_description="Revoked.",
        responses=problems(*_FOUND_OR_NOT),
    )
    async def revoke(request: Request, device_id: DeviceId) -> DeviceRow:
        """Refuse the device's token, here at once and at other replicas within two seconds."""
        await devices.revoke(device_id, audited(request, "device.revoke", device_id))
        return DeviceRow.of(await listing.find(device_id))

    @router.delete(
        f"{DEVICE}/revocation",
        dependencies=may_steer,
        response_description="Restored.",
        responses=problems(*_FOUND_OR_NOT),
    )
    async def restore(request: Request, device_id: DeviceId) -> DeviceRow:
        """Take the device's token again."""
        await devices.restore(device_id, audited(request, "device.restore", device_id))
        return DeviceRow.of(await listing.find(device_id))

    @router.delete(
        f"{DEVICE}/clone-mark",
        dependencies=may_steer,
        response_description="Cleared.",
        responses=problems(*_FOUND_OR_NOT),
    )
    async def clear_clone_mark(request: Request, device_id: DeviceId) -> DeviceRow:
        """Take the mark away that says that the device seems to be two; a new suspicion sets it again."""
        await devices.clear_clone_mark(device_id, audited(request, "device.clear-clone-mark", device_id))
        return DeviceRow.of(await listing.find(device_id))

    @router.delete(
        DEVICE,
        status_code=202,
        dependencies=[requires(Role.ADMIN)],
        response_description="It is being forgotten.",
        responses=problems(*_FOUND_OR_NOT),
    )
    async def forget(request: Request, device_id: DeviceId) -> Forgotten:
        """Keep the device out for good, and delete its data: answers, labels, samples, and what it told of itself.

        The rows go within seconds to minutes, by their number; the files of samples a quarter of an hour later. Sums in
        reports stay, for they name no device. Its id is never given again.
        """
        device = await devices.forget(device_id, audited(request, "device.forget", device_id))
        return Forgotten(device_id=device.public_id)

    return router


def holds_router(devices: Devices, listing: Listing, assignments: Assignments, assigning: Assigning) -> APIRouter:
    """Hold single devices at a bundle. Other replicas follow within two seconds; everything is safe to repeat."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.put(PIN, dependencies=may_steer, response_description="Pinned.", responses=problems(*_HELD_OR_NOT))
    async def pin(
        request: Request, wanted: Annotated[PinRequest, Depends(command(PinRequest))], device_id: DeviceId
    ) -> DeviceRow:
        """Have the device run this bundle, whatever its family is assigned."""
        remark(request, device=device_id, counter=wanted.counter)
        device = await devices.find(device_id)
        await assigning.pin(device, wanted.counter, audited(request, "device.pin", device_id))
        return DeviceRow.of(await listing.find(device_id))

    @router.delete(
        PIN, dependencies=may_steer, response_description="Not pinned any more.", responses=problems(*_FOUND_OR_NOT)
    )
    async def unpin(request: Request, device_id: DeviceId) -> DeviceRow:
        """Have the device run what its family runs."""
        device = await devices.find(device_id)
        await assignments.let_go(device, HoldKind.PIN, audited(request, "device.unpin", device_id))
        return DeviceRow.of(await listing.find(device_id))

    @router.put(
        QUARANTINE, dependencies=may_steer, response_description="In quarantine.", responses=problems(*_HELD_OR_NOT)
    )
    async def quarantine(
        request: Request,
        wanted: Annotated[QuarantineRequest, Depends(command(QuarantineRequest))],
        device_id: DeviceId,
    ) -> DeviceRow:
        """Hold the device at a bundle; its frames are answered, but neither kept as samples nor counted in reports."""
        remark(request, device=device_id, reason=wanted.reason)
        device = await devices.find(device_id)
        witness = audited(request, "device.quarantine", device_id)
        await assigning.quarantine(device, wanted.counter, wanted.reason, witness)
        return DeviceRow.of(await listing.find(device_id))

    @router.delete(
        QUARANTINE, dependencies=may_steer, response_description="Released.", responses=problems(*_FOUND_OR_NOT)
    )
    async def release(request: Request, device_id: DeviceId) -> DeviceRow:
        """End the device's quarantine; what it sent meanwhile stays uncounted."""
        device = await devices.find(device_id)
        await assignments.let_go(device, HoldKind.QUARANTINE, audited(request, "device.release", device_id))
        return DeviceRow.of(await listing.find(device_id))

    return router
