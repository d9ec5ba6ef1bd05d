"""Operators and their tokens. Times are seconds since 1970."""

from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.operators.administration import Administration, Issued, Revoked
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import OWN, TOKEN_DAYS
from cloud_server.storage.rows import operators as rows
from shared.wire import ProblemCode

DAYS_MAX = 3650
OVERLAP_HOURS, OVERLAP_HOURS_MAX = 24, 30 * 24
NAME = r"^[a-z0-9][a-z0-9._@-]{0,63}$"
Name = Annotated[str, Path(description="the operator's name", pattern=NAME)]
TokenId = Annotated[
    str,
    Path(description=f"the token's id; `{OWN}`: the one with which this is asked", pattern=f"^([0-9a-f]{{8}}|{OWN})$"),
]
Days = Annotated[int | None, Field(ge=1, le=DAYS_MAX, description="How long it lets in; null: for ever.")]
_CHANGED_OR_NOT = (*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT)


class NewOperator(Message):
    """A person or a program that shall operate this server."""

    name: Annotated[str, Field(pattern=NAME)]
    role: Role


class OperatorChange(Message):
    """What shall become of an operator; null leaves it as it is."""

    role: Role | None = None
    is_disabled: bool | None = None


class TokenRequest(Message):
    """Whose token shall be made."""

    operator: Annotated[str, Field(pattern=NAME)]
    days: Days = TOKEN_DAYS


class RotationRequest(Message):
    """How long the new token lets in, and how long the old one does beside it, at most.

    Unless an admin asks, the old one must be the one with which this is asked, and the new one lasts no longer than the
    old one was given for.
    """

    days: Days = TOKEN_DAYS
    overlap_hours: Annotated[int, Field(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class OperatorRow(Message):
    """An operator."""

    name: str
    role: Role
    created_at: float
    disabled_at: float | None

    @classmethod
    def of(cls, row: rows.OperatorRow) -> Self:
        """As its row says."""
        return cls(**row._asdict())


class OperatorList(Message):
    """Every operator."""

    operators: tuple[OperatorRow, ...]


class TokenRow(Message):
    """A token: what it is called, never what it is."""

    id: str
    operator: str
    role: Role
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    rotated_from: str | None = Field(description="the id of the token in whose place this one was made")

    @classmethod
    def of(cls, row: rows.TokenRow) -> Self:
        """As its row says."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class TokenList(Message):
    """Tokens, newest first."""

    tokens: tuple[TokenRow, ...]


class IssuedToken(TokenRow):
    """A new token, shown this once."""

    token: str

    @classmethod
    def issued(cls, issued: Issued) -> Self:
        """As it was made."""
        return cls(**TokenRow.of(issued.row).model_dump(), token=issued.token)


class RevokedToken(TokenRow):
    """A token that is revoked, and the ids of those that were revoked with it, since they were rotated from it."""

    also_revoked: tuple[str, ...]

    @classmethod
    def revoked(cls, revoked: Revoked) -> Self:
        """As they are now."""
        also = tuple(row.id for row in revoked.descendants)
        return cls(**TokenRow.of(revoked.row).model_dump(), also_revoked=also)


def operators_router(administration: Administration) -> APIRouter:
    """Who may operate this server."""
    router, may_administer = endpoints(), [requires(Role.ADMIN)]

    @router.get(
        "/v1/operators",
        dependencies=may_administer,
        response_description="All of them.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_operators() -> OperatorList:
        """Every operator, by name."""
        return OperatorList(operators=tuple(OperatorRow.of(row) for row in await administration.operators()))

    @router.post(
        "/v1/operators",
        dependencies=may_administer,
        status_code=201,
        response_description="Made.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.CONFLICT),
    )
    async def add_operator(
        request: Request, wanted: Annotated[NewOperator, Depends(command(NewOperator))]
    ) -> OperatorRow:
        """Make an operator, who has no token yet."""
        witness = audited(request, "operator.add", wanted.name)
        return OperatorRow.of(await administration.add(wanted.name, wanted.role, witness))

    @router.put(
        "/v1/operators/{name}",
        dependencies=may_administer,
        response_description="Changed.",
        responses=problems(*_CHANGED_OR_NOT),
    )
    async def change_operator(
        request: Request, wanted: Annotated[OperatorChange, Depends(command(OperatorChange))], name: Name
    ) -> OperatorRow:
        """Give another role, or take away or give back all that the tokens open; the last admin stays one."""
        witness = audited(request, "operator.change", name)
        change = administration.change(name, witness, role=wanted.role, is_disabled=wanted.is_disabled)
        return OperatorRow.of(await change)

    return router


def tokens_router(administration: Administration) -> APIRouter:
    """With which tokens. Anybody may see and revoke their own, and rotate the one that they call with; an admin all."""
    router, may_ask = endpoints(), [requires(Role.VIEWER)]

    @router.get(
        "/v1/tokens",
        dependencies=may_ask,
        response_description="Those that the caller may see.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_tokens(
        request: Request, operator: Annotated[str | None, Query(description="of this one", pattern=NAME)] = None
    ) -> TokenList:
        """Tokens, newest first: an admin sees everybody's, others see their own."""
        caller = caller_of(request)
        of = operator if caller.role is Role.ADMIN else caller.name
        return TokenList(tokens=tuple(TokenRow.of(row) for row in await administration.tokens(of)))

    @router.post(
        "/v1/tokens",
        dependencies=[requires(Role.ADMIN)],
        status_code=201,
        response_description="Made.",
        responses=problems(*_CHANGED_OR_NOT),
    )
    async def create_token(
        request: Request, wanted: Annotated[TokenRequest, Depends(command(TokenRequest))]
    ) -> IssuedToken:
        """Make a token for an operator; it is shown this once."""
        witness = audited(request, "token.create", wanted.operator)
        return IssuedToken.issued(await administration.issue(wanted.operator, wanted.days, witness))

    @router.post(
        "/v1/tokens/{token_id}/rotation",
        dependencies=may_ask,
        status_code=201,
        response_description="Made.",
        responses=problems(*_CHANGED_OR_NOT),
    )
    async def rotate_token(
        request: Request, wanted: Annotated[RotationRequest, Depends(command(RotationRequest))], token_id: TokenId
    ) -> IssuedToken:
        """Make a token in the place of this one, which lets in for some hours more; it is shown this once."""
        witness, caller = audited(request, "token.rotate", _named(request, token_id)), caller_of(request)
        made = administration.rotate(caller, token_id, wanted.days, wanted.overlap_hours, witness)
        return IssuedToken.issued(await made)

    @router.delete(
        "/v1/tokens/{token_id}",
        dependencies=may_ask,
        response_description="Revoked.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def revoke_token(request: Request, token_id: TokenId) -> RevokedToken:
        """End a token and all rotated from it, here at once, at other replicas within two seconds; safe to repeat."""
        witness_of = partial(audited, request, "token.revoke")
        return RevokedToken.revoked(await administration.revoke(caller_of(request), token_id, witness_of))

    return router


def _named(request: Request, token_id: str) -> str:
    """The id of a token that was asked for, also where it was asked for as one's own."""
    return caller_of(request).token_id if token_id == OWN else token_id
