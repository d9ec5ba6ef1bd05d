"""Settings of devices from afar: set for a family or a tag, looked at, and removed."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field, StringConstraints
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message, from_base64
from cloud_server.api.operator.operator_auth import audited, requires
from cloud_server.fleet.tags import TAG, TAG_CHARACTERS_MAX
from cloud_server.operators.roles import Role
from cloud_server.registry.configuring import Configuring, Held
from shared.bundle import DeviceSettings, Family
from shared.wire import ProblemCode

SETTINGS = "/v1/settings"
SettingsTag = Annotated[str, StringConstraints(max_length=TAG_CHARACTERS_MAX, pattern=TAG)]
_SET_PROBLEMS = (
    *COMMAND_PROBLEMS,
    ProblemCode.NOT_FOUND,
    ProblemCode.CONFLICT,
    ProblemCode.BELOW_FLOOR,
    ProblemCode.INVALID_BUNDLE,
    ProblemCode.UNTRUSTED,
)


class SetRequest(Message):
    """Base64 of the settings' canonical bytes, and of the signed targets metadata that add them."""

    settings: str
    targets: str


class SettingsRow(Message):
    """Settings that hold for a family, or for its devices that have a tag."""

    name: str = Field(description="Its path in TUF, without `.json`.")
    family: str
    counter: int
    tag: str | None
    said: dict[str, Any] = Field(description="What is set, by name; all else is as the devices have it.")
    set_at: float
    is_listed: bool = Field(description="Whether the family's signed targets name them; without that none takes them.")

    @classmethod
    def of(cls, held: Held) -> Self:
        """As they hold."""
        settings = held.settings
        return cls(
            name=settings.target_path.removesuffix(".json"),
            family=settings.family,
            counter=settings.counter,
            tag=settings.tag,
            said=settings.said,
            set_at=held.set_at,
            is_listed=held.is_listed,
        )


class SettingsList(Message):
    """Settings that hold; `highest` is the highest number that the family's ever had, where one family is asked for."""

    settings: tuple[SettingsRow, ...]
    highest: int | None


class SettingsPlace(Message):
    """Where settings stand; the counter is null where none did."""

    family: str
    tag: str | None
    counter: int | None


def settings_router(configuring: Configuring) -> APIRouter:
    """Set what devices do from afar, as far as their own configuration lets them."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.post(
        SETTINGS,
        dependencies=may_steer,
        status_code=201,
        response_description="Set.",
        responses=problems(*_SET_PROBLEMS),
    )
    async def set_settings(
        request: Request, wanted: Annotated[SetRequest, Depends(command(SetRequest))]
    ) -> SettingsPlace:
        """Have signed settings hold from now on, in the place of those of the same tag, or of the family."""
        data = from_base64(wanted.settings)
        settings = DeviceSettings.from_bytes(data)
        remark(request, family=settings.family, counter=settings.counter)
        witness = audited(request, "settings.set", settings.family)
        await configuring.set(settings, data, from_base64(wanted.targets), witness)
        return SettingsPlace(family=settings.family, tag=settings.tag, counter=settings.counter)

    @router.get(
        SETTINGS,
        dependencies=[requires(Role.VIEWER)],
        response_description="All that hold.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def list_settings(
        family: Annotated[Family | None, Query(description="of this family")] = None,
    ) -> SettingsList:
        """Every settings document that holds, by family and counter."""
        rows = tuple(map(SettingsRow.of, await configuring.held(family)))
        return SettingsList(settings=rows, highest=None if family is None else await configuring.highest(family))

    @router.delete(
        f"{SETTINGS}/{{family}}",
        dependencies=may_steer,
        response_description="Removed.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def remove_settings(
        request: Request,
        family: Annotated[Family, Path()],
        tag: Annotated[SettingsTag | None, Query(description="those of this tag; left out: the family's")] = None,
    ) -> SettingsPlace:
        """Have the settings of a tag, or of the family, hold no longer: devices do as they are configured again."""
        remark(request, family=family)
        counter = await configuring.remove(family, tag, audited(request, "settings.remove", family))
        return SettingsPlace(family=family, tag=tag, counter=counter)

    return router
