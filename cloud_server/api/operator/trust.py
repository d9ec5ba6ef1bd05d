"""Signed metadata: the root, what a publication adds to, what must stay, and when each role's metadata expire."""

from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import JSON, answer, problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message, from_base64
from cloud_server.api.operator.fleet import COUNTER_MAX
from cloud_server.api.operator.operator_auth import audited, requires
from cloud_server.api.operator.published import RaiseFloor
from cloud_server.api.operator.rows import BelowFloorRow
from cloud_server.api.operator.written import written
from cloud_server.operators.roles import Role
from cloud_server.registry.floor import Falling
from cloud_server.registry.publishing import Publishing
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.rows.tuf_files import TufFamilyRow
from shared.bundle import Family
from shared.trust import RootFacts
from shared.wire import ProblemCode


class RootRequest(Message):
    """Base64 of the root metadata that follow the newest."""

    root: str


class RoleRow(Message):
    """Who may sign a role's metadata."""

    role: str
    keyids: tuple[str, ...]
    threshold: int


class FamilyTrust(Message):
    """A family's metadata; times are seconds since 1970."""

    family: str
    timestamp_version: int
    online_expires_at: float
    targets_expire_at: float

    @classmethod
    def of(cls, row: TufFamilyRow) -> Self:
        """As its row says."""
        return cls(
            family=row.family,
            timestamp_version=row.timestamp_version,
            online_expires_at=row.expires_at,
            targets_expire_at=row.targets_expire_at,
        )


class TrustStatus(Message):
    """Every role, its keys, and when what it signed expires."""

    root_version: int
    root_expires_at: float
    roles: tuple[RoleRow, ...]
    families: tuple[FamilyTrust, ...]

    @classmethod
    def of(cls, root: RootFacts, families: Sequence[TufFamilyRow]) -> Self:
        """What a root says, and the rows of the families."""
        return cls(
            root_version=root.version,
            root_expires_at=root.expires.timestamp(),
            roles=tuple(
                RoleRow(role=role.value, keyids=keys.keyids, threshold=keys.threshold)
                for role, keys in root.roles.items()
            ),
            families=tuple(FamilyTrust.of(row) for row in families),
        )


class KeptTargets(Message):
    """The target paths that newly signed metadata must list, where they are listed now."""

    keep: tuple[str, ...]


class RenewRequest(Message):
    """Base64 of signed targets metadata that add nothing."""

    targets: str
    raise_floor: RaiseFloor = Falling.NOTHING


def lists_router(signed_files: SignedFiles, publishing: Publishing) -> APIRouter:
    """The metadata that a publication adds to, and what it may not leave out."""
    router = endpoints()

    @router.get(
        "/v1/tuf/{family}/targets",
        dependencies=[requires(Role.VIEWER)],
        response_class=Response,
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.UNTRUSTED, ProblemCode.NOT_READY)
        | {200: answer("TUF targets metadata.", {JSON: {"type": "object"}})},
    )
    async def get_targets(family: Annotated[Family, Path()]) -> Response:
        """A family's current targets metadata; add what you publish to it, sign it, and send it along."""
        return Response(await signed_files.targets(family), media_type=JSON)

    @router.get(
        "/v1/tuf/{family}/keep",
        dependencies=[requires(Role.VIEWER)],
        response_description="What must stay.",
        responses=problems(ProblemCode.UNTRUSTED, ProblemCode.NOT_READY),
    )
    async def get_kept(family: Annotated[Family, Path()]) -> KeptTargets:
        """The entries that must stay in a family's targets metadata; whoever signs them may drop all others."""
        return KeptTargets(keep=tuple(sorted(await publishing.kept(family))))

    @router.put(
        "/v1/tuf/{family}/targets",
        dependencies=[requires(Role.APPROVER)],
        response_description="Published.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.CONFLICT, ProblemCode.BELOW_FLOOR, ProblemCode.UNTRUSTED),
    )
    async def put_targets(
        request: Request,
        family: Annotated[Family, Path()],
        wanted: Annotated[RenewRequest, Depends(command(RenewRequest))],
    ) -> BelowFloorRow:
        """Publish newly signed targets metadata that add nothing, before the current ones expire.

        The answer is what is assigned below the family's floor now.
        """
        targets, witness = from_base64(wanted.targets), audited(request, "targets.renew", family)
        below = await publishing.renew(family, targets, witness, falling=wanted.raise_floor)
        remark(request, family=family)
        return BelowFloorRow.of(below)

    return router


def floor_router(publishing: Publishing) -> APIRouter:
    """What is assigned that devices do not take anew."""
    router = endpoints()

    @router.get(
        "/v1/tuf/{family}/floor",
        dependencies=[requires(Role.VIEWER)],
        response_description="What is below it.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def get_floor(
        family: Annotated[Family, Path()],
        raised_to: Annotated[
            int | None, Query(description="what would fall below this higher floor", ge=1, le=COUNTER_MAX)
        ] = None,
    ) -> BelowFloorRow:
        """What of a family is assigned below its floor; or what else would be below a higher one."""
        return BelowFloorRow.of(await publishing.below_floor(family, raised_to))

    return router


def root_router(signed_files: SignedFiles) -> APIRouter:
    """Who may sign, and until when; and the next root."""
    router = endpoints()

    @router.get(
        "/v1/tuf/status",
        response_model=TrustStatus,
        dependencies=[requires(Role.VIEWER)],
        response_description="Who may sign, until when.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def get_status() -> Response:
        """Every role with its keys and threshold, and when what it signed expires, family by family."""
        root, families = await signed_files.root(), await signed_files.families()
        return await written(lambda: TrustStatus.of(RootFacts.of(root), families))

    @router.put(
        "/v1/tuf/root",
        dependencies=[requires(Role.ADMIN)],
        status_code=204,
        response_description="Published.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.CONFLICT, ProblemCode.UNTRUSTED),
    )
    async def put_root(request: Request, wanted: Annotated[RootRequest, Depends(command(RootRequest))]) -> None:
        """Publish the next root, signed by the keys of the one before and its own. The same again changes nothing."""
        root = from_base64(wanted.root)
        await signed_files.add_root(root, audited(request, "root.publish", "root"))
        remark(request, root_version=RootFacts.of(root).version)

    return router
