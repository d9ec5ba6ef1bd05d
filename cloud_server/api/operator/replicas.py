"""The server processes that share the database."""

from fastapi import APIRouter
from pydantic import Field

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.commands import Message
from cloud_server.api.operator.operator_auth import requires
from cloud_server.fleet.replicas import Replicas
from cloud_server.operators.roles import Role
from shared.wire import ProblemCode


class ReplicaState(Message):
    """A process that is alive; its log names it in `replica`."""

    replica: str
    is_answering: bool = Field(description="Whether it is the one that gives this answer.")
    missing_keys: tuple[str, ...] = Field(
        description="Online keys that the newest root names and it lacks, by role and id: it signs nothing."
    )


class ReplicaList(Message):
    """Every process that is alive."""

    replicas: tuple[ReplicaState, ...]


def replicas_router(replicas: Replicas) -> APIRouter:
    """See the processes."""
    router = endpoints()

    @router.get(
        "/v1/replicas",
        dependencies=[requires(Role.VIEWER)],
        response_description="All of them.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_replicas() -> ReplicaList:
        """The processes that were heard of within ten seconds, and the online keys that each lacks."""
        return ReplicaList(
            replicas=tuple(
                ReplicaState(replica=row.id, is_answering=replicas.is_own(row.id), missing_keys=row.missing_keys)
                for row in await replicas.live()
            )
        )

    return router
