"""`GET /v1/audit`: what was changed, by whom, and the hashes that show whether the record is whole."""

from typing import Annotated

from fastapi import APIRouter, Query

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.commands import Message
from cloud_server.api.operator.operator_auth import requires
from cloud_server.operators.audit import Audit
from cloud_server.operators.chain import Entry
from cloud_server.operators.roles import Role
from cloud_server.storage.rows.audit import AuditFilter
from shared.plain_text import PLAIN
from shared.wire import ProblemCode

PAGE_MAX = 1000
SEQ_MAX = 2**63 - 1
_Text = Annotated[str, Query(max_length=256, pattern=PLAIN)]
_Seconds = Annotated[float, Query(description="seconds since 1970", ge=0, le=1e11, allow_inf_nan=False)]
_Row = Annotated[int, Query(ge=0, le=SEQ_MAX)]


class AuditPage(Message):
    """A page of the audit, and the end of the whole chain: the last row's number and hash."""

    entries: tuple[Entry, ...]
    head_seq: int
    head_hash: str


def audit_router(audit: Audit) -> APIRouter:
    """Read the audit."""
    router = endpoints()

    @router.get(
        "/v1/audit",
        dependencies=[requires(Role.OPERATOR)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_changes(
        operator: Annotated[_Text | None, Query(description="made by this operator")] = None,
        action: Annotated[
            _Text | None, Query(description="of this kind, such as device.revoke, or of all kinds, `device.`")
        ] = None,
        subject: Annotated[_Text | None, Query(description="made to this")] = None,
        since: _Seconds | None = None,
        until: _Seconds | None = None,
        before: Annotated[_Row | None, Query(description="rows with lower numbers")] = None,
        after: Annotated[_Row | None, Query(description="rows with higher numbers, the oldest first")] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = 100,
    ) -> AuditPage:
        """A page of changes, newest first, or from `after` on oldest first."""
        wanted = AuditFilter(
            operator=operator,
            action=action,
            subject=subject,
            since_ms=None if since is None else round(since * 1000),
            until_ms=None if until is None else round(until * 1000),
            before=before,
            after=after,
        )
        entries, head = await audit.page(wanted, limit)
        return AuditPage(entries=tuple(entries), head_seq=head.seq, head_hash=head.hash)

    return router
