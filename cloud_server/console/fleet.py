"""The fleet: who was here last, searched and filtered on the server, a page at a time, and who runs which version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from cloud_server.console.device import DeviceParts, device_routes
from cloud_server.console.device_marks import Mark, marks_of, name_of
from cloud_server.console.door import Door
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.visit import Fields, Visit
from cloud_server.fleet.heartbeats import HEARD_SECONDS
from cloud_server.fleet.listing import Listed
from cloud_server.operators.roles import Role
from cloud_server.storage.rows.fleet import CountRow, DeviceQuery, SeenPlace
from shared.errors import PeerError
from shared.wire import EventKind

PATH = "/fleet"
PAGE = 50
VERSIONS_SHOWN, FAMILIES_SHOWN = 5, 4
ID_MAX = 2**31 - 1
"""PostgreSQL's INTEGER."""
NONE = "none"
"""What stands for the tables of devices that have sent no frame yet."""


class Show(StrEnum):
    """Which devices are wanted, by what marks them."""

    ALL = ""
    SILENT = "silent"
    ON_TRIAL = "on-trial"
    FAILED = "failed"
    PINNED = "pinned"
    QUARANTINED = "quarantined"
    CLONES = "clones"
    REVOKED = "revoked"

    @property
    def words(self) -> str:
        """As the form has it."""
        return _WORDS[self]


_WORDS = {
    Show.ALL: "all devices",
    Show.SILENT: "silent for two days, or never here",
    Show.ON_TRIAL: "new tables on trial",
    Show.FAILED: "last update rolled back",
    Show.PINNED: "pinned to a version",
    Show.QUARANTINED: "in quarantine",
    Show.CLONES: "perhaps two devices",
    Show.REVOKED: "revoked",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form of the page, or a link to it, asks for; empty texts ask for all."""

    search: str = ""
    family: str = ""
    tables: str = ""
    show: Show = Show.ALL
    after: SeenPlace | None = None

    @classmethod
    def of(cls, fields: Fields) -> "Asked":
        """What a query says.

        Raises:
            PeerError: it says what no form or link of ours does.
        """
        show = fields.text("show", 16)
        if show not in list(Show):
            raise PeerError(f"show: there is no {show!r}")
        return cls(
            fields.text("q", 64),
            fields.text("family", 63),
            fields.text("version", 16),
            Show(show),
            _place(fields.text("after", 64)),
        )

    def query(self, now: float) -> DeviceQuery:
        """The devices that are wanted; `now` in seconds since 1970."""
        wanted = DeviceQuery(
            search=self.search or None,
            family=self.family or None,
            tables=self.tables or None,
            seen_before=now - HEARD_SECONDS if self.show is Show.SILENT else None,
            is_revoked=_if_asked(self.show is Show.REVOKED),
            is_pinned=_if_asked(self.show is Show.PINNED),
            is_quarantined=_if_asked(self.show is Show.QUARANTINED),
            is_suspected_clone=_if_asked(self.show is Show.CLONES),
            is_on_trial=_if_asked(self.show is Show.ON_TRIAL),
            outcome=EventKind.ROLLED_BACK.value if self.show is Show.FAILED else None,
        )
        return replace(wanted, is_revoked=False) if self.show is Show.SILENT else wanted

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it."""
        return not (self.search or self.family or self.tables or self.show)

    @property
    def is_narrow(self) -> bool:
        """Whether single devices are looked for, so that the list comes first."""
        return bool(self.search or self.tables or self.show or self.after)

    @property
    def address(self) -> str:
        """The page that shows it."""
        after = "" if self.after is None else f"{self.after.seen_at!r}_{self.after.id}"
        said = {
            "q": self.search,
            "family": self.family,
            "version": self.tables,
            "show": self.show.value,
            "after": after,
        }
        asked = urlencode({name: value for name, value in said.items() if value})
        return f"{ROOT}{PATH}{asked and '?' + asked}"


@dataclass(frozen=True, slots=True)
class Row:
    """A device of the list; `seen_at` in seconds since 1970."""

    public_id: str
    name: str
    family: str
    tags: Sequence[str]
    runs: str
    should_run: str
    is_behind: bool
    seen_at: float | None
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class VersionShare:
    """How many devices of a family sent these tables last; `address` lists them."""

    tables: str
    devices: int
    share: float
    is_assigned: bool
    address: str


@dataclass(frozen=True, slots=True)
class FamilyShares:
    """The devices of a family by version, the most first; `others` have none of those."""

    family: str
    devices: int
    versions: Sequence[VersionShare]
    others: int


def row_of(listed: Listed, now: float) -> Row:
    """A device as the list has it; `now` in seconds since 1970."""
    device = listed.row
    should_run = "" if listed.target is None else f"v{listed.target.counter}"
    runs = device.last_tables or ""
    return Row(
        public_id=device.public_id,
        name=name_of(device.public_id, device.name),
        family=device.family,
        tags=listed.tags,
        runs=runs,
        should_run=should_run,
        is_behind=bool(runs and should_run) and runs != should_run,
        seen_at=device.last_seen_at,
        marks=marks_of(listed, now),
    )


def shares_of(counted: Sequence[CountRow], assigned: Mapping[str, str]) -> list[FamilyShares]:
    """The devices of each family by version.

    Args:
        assigned: the tables that each family's devices should send.
    """
    of_family: dict[str, list[CountRow]] = {}
    for row in counted:
        of_family.setdefault(row.family, []).append(row)
    return [_shares(family, rows, assigned.get(family)) for family, rows in sorted(of_family.items())]


def fleet_section(door: Door, parts: DeviceParts) -> Section:
    """The list, and below it the page of each device."""
    routes = (door.page(PATH, _List(parts).show), *device_routes(door, parts))
    return Section("Fleet", PATH, Role.VIEWER, routes, key="f")


class _List:
    """What is shown of all devices."""

    def __init__(self, parts: DeviceParts) -> None:
        self._listing = parts.listing
        self._assignments = parts.assignments

    async def show(self, visit: Visit) -> Response:
        """A page of the list, and who runs what."""
        asked = Asked.of(visit.query)
        listed, count, following = await self._listing.by_last_seen(asked.query(visit.now), asked.after, PAGE)
        counted = await self._listing.counts()
        return visit.page(
            "fleet.html",
            asked=asked,
            rows=[row_of(each, visit.now) for each in listed],
            count=count,
            first=replace(asked, after=None).address if asked.after else None,
            following=replace(asked, after=following).address if following else None,
            tables=sorted({row.tables for row in counted if row.tables}, key=_newest_first),
            shows=list(Show),
            **self._shares(asked, counted),
        )

    def _shares(self, asked: Asked, counted: Sequence[CountRow]) -> dict[str, Any]:
        """Who runs what, of a few families; of none where single devices are looked for."""
        assigned = {family: f"v{one.counter}" for family, one in self._assignments.by_family().items()}
        every = shares_of(counted, assigned)
        wanted = [family for family in every if asked.family in ("", family.family)]
        shown = [] if asked.is_narrow else wanted[:FAMILIES_SHOWN]
        return {
            "shares": shown,
            "families": [family.family for family in every],
            "families_left": len(wanted) - len(shown) if shown else 0,
            "every": sum(family.devices for family in every),
        }


def _shares(family: str, rows: Sequence[CountRow], assigned: str | None) -> FamilyShares:
    devices = sum(row.devices for row in rows)
    most = sorted(rows, key=lambda row: (-row.devices, row.tables or ""))
    shown = [
        VersionShare(
            tables=row.tables or NONE,
            devices=row.devices,
            share=row.devices / devices,
            is_assigned=row.tables is not None and row.tables == assigned,
            address=Asked(family=family, tables=row.tables or "").address,
        )
        for row in most[:VERSIONS_SHOWN]
    ]
    return FamilyShares(family, devices, shown, devices - sum(one.devices for one in shown))


def _newest_first(tables: str) -> tuple[int, str]:
    number = tables.removeprefix("v")
    return (-int(number) if number.isdecimal() else 1, tables)


def _if_asked(is_it: bool) -> bool | None:
    return True if is_it else None


def _place(text: str) -> SeenPlace | None:
    if not text:
        return None
    seen_at, _, number = text.rpartition("_")
    try:
        place = SeenPlace(float(seen_at), int(number))
    except ValueError as error:
        raise PeerError("after: this is no place in the list") from error
    if not 0 <= place.seen_at < 1e11 or not 0 < place.id <= ID_MAX:
        raise PeerError("after: this is no place in the list")
    return place
