"""What the server noticed by itself, and how the endpoints of webhooks do that are told of it."""

import json
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.commands import Message
from cloud_server.api.operator.operator_auth import audited, requires
from cloud_server.events.delivering import Webhooks
from cloud_server.events.endpoints import NAME
from cloud_server.events.telling import Events
from cloud_server.operators.roles import Role
from cloud_server.storage.rows.events import EventRow, Standing
from shared.wire import ProblemCode

PAGE_MAX = 1000
SEQ_MAX = 2**63 - 1
Name = Annotated[str, Path(description="the endpoint's name", pattern=NAME)]


class Event(Message):
    """One event; webhooks have it with the same number."""

    seq: int
    at_ms: int = Field(description="Milliseconds since 1970.")
    kind: str
    subject: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> Self:
        """As its row says."""
        return cls(**row._asdict() | {"facts": json.loads(row.facts)})


class EventPage(Message):
    """A page of events."""

    events: tuple[Event, ...]


class Webhook(Message):
    """An endpoint, and how it does; times are seconds since 1970."""

    endpoint: str
    host: str
    kinds: tuple[str, ...] = Field(description="Patterns of the kinds that it is told of.")
    pending: int = Field(description="Changes and events that it was not told of yet, or passed over.")
    oldest_at: float | None = Field(description="When the first of those happened.")
    delivered_at: float | None = Field(description="When it was told last.")
    failures: int = Field(description="How often in a row it could not be told.")
    fault: str | None = Field(description="Why not, the last time.")


class SkippedMessage(Message):
    """What an endpoint is not told of."""

    id: str = Field(description="The webhook-id under which it was told.")
    kind: str
    subject: str


class WebhookList(Message):
    """Every endpoint that the server's settings name."""

    webhooks: tuple[Webhook, ...]


def events_router(events: Events) -> APIRouter:
    """See what happened."""
    router = endpoints()

    @router.get(
        "/v1/events",
        dependencies=[requires(Role.OPERATOR)],
        response_description="The page.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_events(
        before: Annotated[int | None, Query(description="with lower numbers", ge=0, le=SEQ_MAX)] = None,
        limit: Annotated[int, Query(description="how many", ge=1, le=PAGE_MAX)] = 100,
    ) -> EventPage:
        """A page of events, newest first."""
        return EventPage(events=tuple(map(Event.of, await events.page(before, limit))))

    return router


def webhooks_router(webhooks: Webhooks) -> APIRouter:
    """See who is told, and try it. Nothing here adds an endpoint: only the server's own settings do."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.get(
        "/v1/webhooks",
        dependencies=may_steer,
        response_description="All of them.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_webhooks() -> WebhookList:
        """The endpoints that are told of changes and events, by name, and how they do."""
        standings = {one.endpoint: one for one in await webhooks.standings()}
        found = sorted(webhooks.endpoints, key=lambda endpoint: endpoint.name)
        return WebhookList(
            webhooks=tuple(
                _webhook(one.host, one.kinds, standings.get(one.name) or Standing(one.name, 0, None, None, 0, None))
                for one in found
            )
        )

    @router.post(
        "/v1/webhooks/{endpoint}/test",
        status_code=202,
        dependencies=may_steer,
        response_description="It will be told.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def test_webhook(request: Request, endpoint: Name) -> Event:
        """Have one endpoint told `webhook.test`, whatever kinds it wants, after what waits for it already."""
        return Event.of(await webhooks.test(endpoint, audited(request, "webhook.ask-test", endpoint)))

    @router.post(
        "/v1/webhooks/{endpoint}/skip",
        dependencies=may_steer,
        response_description="It will not be told.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.CONFLICT, ProblemCode.NOT_READY),
    )
    async def skip_message(request: Request, endpoint: Name) -> SkippedMessage:
        """Pass one endpoint over the message that it refused the last time, so that it hears what came after it."""
        skipped = await webhooks.skip(endpoint, audited(request, "webhook.skip", endpoint))
        return SkippedMessage(id=skipped.id, kind=skipped.kind, subject=skipped.subject)

    return router


def _webhook(host: str, kinds: tuple[str, ...], row: Standing) -> Webhook:
    return Webhook(
        endpoint=row.endpoint,
        host=host,
        kinds=kinds,
        pending=row.pending,
        oldest_at=None if row.oldest_ms is None else row.oldest_ms / 1000,
        delivered_at=row.delivered_at,
        failures=row.failures,
        fault=row.fault,
    )
