"""Settings of devices from afar: what an operator has signed for a family, or for those of it that have a tag."""

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.bundle.canonical import BundleError, Canonical
from shared.bundle.family import Family

SETTINGS_LIMIT_BYTES = 1024
SETTINGS_COUNTER_MAX = 2**31 - 1
BYTES_MIN, BYTES_MAX = 1024, 2**53 - 1
"""A budget below a kibibyte would keep a camera silent, which is what revoking it is for."""
TAG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*(=[A-Za-z0-9._:/-]+)?$"
TAG_CHARACTERS_MAX = 64

Budget = Annotated[int, Field(ge=BYTES_MIN, le=BYTES_MAX)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Place = Annotated[FiniteFloat, Field(ge=0, lt=1)]
Extent = Annotated[FiniteFloat, Field(ge=0.01, le=1)]
_WINDOW = r"([A-Za-z]{3}([,-][A-Za-z]{3})* +)?[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}"
ACTIVE_HOURS = rf"^(UTC +)?{_WINDOW}( *; *{_WINDOW})*$"
"""The form of active hours; which days and times there are a device finds out."""


class DeviceSettings(Canonical):
    """What devices shall do, as far as their own configuration lets them; what is not said stays as they have it.

    Args:
        counter: the number of these settings in their family; no two have the same.
        tag: for devices that have this tag; None: for the family.
        frames_per_second: pictures a second; the least is one a day.
        batch_frames: frames in one request, at most.
        linger_seconds: how long an incomplete batch waits.
        budget_hour_bytes, budget_day_bytes, budget_month_bytes: of bytes at the socket, both ways.
        picture_share: which share of the pictures is sent.
        detail_share: which share of the frames takes a detail along.
        detail_hour_bytes: how many bytes details may have in an hour.
        detail_quality: the reference quality, of which details are ordinary JPEG.
        active_hours: when pictures are taken, such as `06:00-20:00`, as the sensor's own setting says it.
        region: left, top, width and height of what is shown, as shares of the picture.
    """

    KIND: ClassVar[str] = "settings document"
    LIMIT_BYTES: ClassVar[int] = SETTINGS_LIMIT_BYTES

    schema_version: Literal[1] = Field(default=1, alias="schema")
    family: Family
    counter: Annotated[int, Field(ge=1, le=SETTINGS_COUNTER_MAX)]
    tag: Annotated[str, StringConstraints(max_length=TAG_CHARACTERS_MAX, pattern=TAG_PATTERN)] | None = None
    frames_per_second: Annotated[FiniteFloat, Field(ge=1 / 86_400, le=1000)] | None = None
    batch_frames: Annotated[int, Field(ge=1, le=256)] | None = None
    linger_seconds: Annotated[FiniteFloat, Field(ge=0, le=86_400)] | None = None
    budget_hour_bytes: Budget | None = None
    budget_day_bytes: Budget | None = None
    budget_month_bytes: Budget | None = None
    picture_share: Annotated[FiniteFloat, Field(ge=0.0001, le=1)] | None = None
    detail_share: Share | None = None
    detail_hour_bytes: Annotated[int, Field(ge=0, le=BYTES_MAX)] | None = None
    detail_quality: Annotated[int, Field(ge=1, le=100)] | None = None
    active_hours: Annotated[str, StringConstraints(max_length=200, pattern=ACTIVE_HOURS)] | None = None
    region: tuple[Place, Place, Extent, Extent] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.said:
            raise PydanticCustomError("nothing_said", "nothing is set; say at least one setting")
        if self.region is not None and (self.region[0] + self.region[2] > 1 or self.region[1] + self.region[3] > 1):
            raise PydanticCustomError(
                "region", "the region reaches beyond the picture: left + width, top + height <= 1"
            )
        return self

    @property
    def said(self) -> dict[str, Any]:
        """The settings that are said, by name."""
        about = ("schema_version", "family", "counter", "tag")
        return {name: value for name, value in self if value is not None and name not in about}

    @property
    def target_path(self) -> str:
        """Where TUF's targets metadata lists its bytes."""
        return settings_path(self.family, self.counter)

    @property
    def target_custom(self) -> dict[str, Any]:
        """What its signed entry says beside its hash."""
        return {"family": self.family, "kind": "settings", "counter": self.counter, "tag": self.tag}

    def require_entry(self, path: str, custom: dict[str, Any], family: str) -> None:
        """Whether these are the settings that a signed entry of a family's list means.

        Raises:
            BundleError: they are others.
        """
        if self.family != family:
            raise BundleError(f"settings of family {self.family} where {family} was expected")
        if path != self.target_path or custom != self.target_custom:
            raise BundleError(f"the signed entry {path} is not of these settings, {self.target_path}")

    def _members(self) -> dict[str, Any]:
        """What is not said is left out, so that a program reads settings that say nothing which it does not know."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def settings_path(family: str, counter: int) -> str:
    """The target path of a family's settings with this number; no bundle and no fallback has one of this form."""
    return f"{family}/settings-{counter}.json"


def settings_counter(path: str) -> int | None:
    """The number of the settings that a target path names; None of a path that names none."""
    found = re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}/settings-([1-9][0-9]{0,9})\.json", path)
    return None if found is None else int(found[1])
