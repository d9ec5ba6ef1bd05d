"""Rollouts: the list, one of them live, starting one, and steering it."""

import re
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from cloud_server.console.door import Door
from cloud_server.console.rollout_form import PLAN_MAX, Shape, StartForm, with_bundle
from cloud_server.console.rollout_view import Line, command_of, viewed
from cloud_server.console.rollout_words import happened
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.start_advice import gate_lines, small_families
from cloud_server.console.stream import LiveParts
from cloud_server.console.visit import Fields, Visit
from cloud_server.errors import ChangedError, NotFoundError
from cloud_server.fleet.listing import Listing
from cloud_server.operators.audit import Audit
from cloud_server.operators.chain import Entry
from cloud_server.operators.roles import Role
from cloud_server.registry.catalogue import Catalogue
from cloud_server.rollout.outcomes import Outcome
from cloud_server.rollout.plan import standard
from cloud_server.rollout.steering import Detail, Steering
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows.audit import AuditFilter
from cloud_server.storage.witness import Facts, Witness
from shared.bundle import Bundle
from shared.errors import PeerError

PAGE = 25
DEVICES_PAGE = 100
HISTORY_MAX = 100
REASON_MAX, NOTE_MAX = 200, 500
FRESH_SECONDS = 1.0
"""How old what is shown may be: as many may look at a rollout as like, and it is read once a second."""
_NAME = re.compile(r"[a-z2-7]{8}")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A rollout as it was read, and its history, which only a new version of it changes."""

    detail: Detail
    history: tuple[Entry, ...]
    at: float


class _Rollouts:
    """The pages and forms."""

    def __init__(
        self,
        door: Door,
        steering: Steering,
        catalogue: Catalogue,
        audit: Audit,
        live: LiveParts,
        listing: Listing,
    ) -> None:
        self._door = door
        self._listing = listing
        self._steering = steering
        self._catalogue = catalogue
        self._audit = audit
        self._live = live
        self._seen: dict[str, _Seen] = {}

    async def show_list(self, visit: Visit) -> Response:
        """A page of rollouts, the newest first; those that are under way stand out."""
        family, after = visit.query.text("family") or None, visit.query.text("after") or None
        found = await self._steering.page(family, after and _name(after), PAGE)
        lines = [Line.of(rollout) for rollout in found]
        return visit.page(
            "rollouts.html",
            lines=lines,
            family=family or "",
            families=self._families(),
            after=lines[-1].id if len(lines) == PAGE else "",
            is_first=after is None,
        )

    async def show(self, visit: Visit) -> Response:
        """One rollout; its parts that change follow by a stream."""
        seen = await self._look(_name(visit.part("rollout")), visit.now)
        return visit.page("rollout.html", part=self._part(visit, seen), view=viewed(seen.detail, visit.now))

    async def follow(self, visit: Visit) -> Response:
        """The stream of what changes on the page, with forms of whoever looks."""
        name = _name(visit.part("rollout"))
        await self._look(name, visit.now)  # there is one

        async def render() -> str:
            return self._part(visit, await self._look(name, visit.now))

        is_let_in = partial(self._door.is_let_in, visit.request, Role.VIEWER)
        return self._live.stream(f"rollout {name} {visit.session.caller.token_id}", visit.name, render, is_let_in)

    async def show_devices(self, visit: Visit) -> Response:
        """A page of the cameras that a rollout has reached, of all or of one outcome."""
        name, chosen = _name(visit.part("rollout")), visit.query.text("outcome")
        outcome = next((each for each in Outcome if each.value == chosen), None)
        found, following = await self._steering.reached(name, outcome, visit.query.number("after"), DEVICES_PAGE)
        return visit.page(
            "rollout_devices.html",
            rollout=name,
            devices=found,
            outcome=outcome.value if outcome else "",
            outcomes=[each.value for each in Outcome],
            following=following,
        )

    async def show_start(self, visit: Visit) -> Response:
        """The form that starts one."""
        form = with_bundle(StartForm(), self._bundles(), visit.query.text("bundle"))
        return await self._start_page(visit, form)

    async def start(self, visit: Visit, fields: Fields) -> Response:
        """Start one; what is wrong is said beside what was typed."""
        form = _start_form(fields)
        try:
            family, counter = form.family_and_counter
            plan = form.plan()
            witness = visit.witness("rollout.start", family)
            started = await self._steering.start(
                family, counter, plan, visit.name, form.note or None, witness, supersede=form.supersede
            )
        except PeerError as error:
            return await self._start_page(visit, form, str(error))
        return visit.go(f"{ROOT}/rollouts/{started.row.id}", f"The rollout of {family} to v{counter} has started.")

    async def steer(self, visit: Visit, fields: Fields) -> Response:
        """Do something to one, if it is still as it was seen."""
        name, action = _name(visit.part("rollout")), visit.part("action")
        command = command_of(action, stage=fields.number("stage"))
        if command is None:
            raise NotFoundError("a rollout can be paused, resumed, promoted, released, rolled back or aborted")
        witness = _with_reason(visit.witness(f"rollout.{action}", name), fields.text("reason", REASON_MAX))
        page = f"{ROOT}/rollouts/{name}"
        try:
            changed = await self._steering.change(name, command, fields.number("version"), witness)
        except ChangedError:
            self._seen.pop(name, None)
            stands = Line.of((await self._steering.find(name)).rollout).stands
            said = f"Nothing was done: the rollout has changed since you looked at it. It is now: {stands}. Look again."
            return visit.go(page, said, is_fault=True)
        self._seen.pop(name, None)
        return visit.go(page, f"Done. The rollout is now: {Line.of(changed).stands}.")

    async def _look(self, name: str, now: float) -> _Seen:
        """A rollout as it is, or was a moment ago."""
        seen = self._seen.get(name)
        if seen is not None and 0 <= now - seen.at < FRESH_SECONDS:
            return seen
        detail = await self._steering.find(name)
        history = () if seen is None else seen.history
        if seen is None or seen.detail.rollout.row.version != detail.rollout.row.version:
            history = await self._history(detail)
        self._seen = {key: one for key, one in self._seen.items() if now - one.at < FRESH_SECONDS * 10}
        self._seen[name] = _Seen(detail, history, now)
        return self._seen[name]

    async def _history(self, detail: Detail) -> tuple[Entry, ...]:
        """What the audit says of a rollout, the newest first; its start stands there under its family's name."""
        row = detail.rollout.row
        since_ms = int(row.created_at * 1000) - 60_000
        of_it, _ = await self._audit.page(AuditFilter(subject=row.id, since_ms=since_ms), HISTORY_MAX)
        of_family, _ = await self._audit.page(
            AuditFilter(subject=row.family, action="rollout.start", since_ms=since_ms), HISTORY_MAX
        )
        started = [entry for entry in of_family if entry.after is not None and entry.after.get("rollout") == row.id]
        return tuple(sorted((*of_it, *started), key=lambda entry: entry.seq, reverse=True))

    def _part(self, visit: Visit, seen: _Seen) -> str:
        """What changes of a page while somebody looks."""
        facts = {"view": viewed(seen.detail, seen.at), "history": seen.history, "happened": happened}
        return visit.desk.pages.render("rollout_part.html", **visit.context(), **facts)

    async def _start_page(self, visit: Visit, form: StartForm, fault: str = "") -> Response:
        return visit.page(
            "rollout_start.html",
            422 if fault else 200,
            form=form,
            fault=fault,
            bundles=self._bundles(),
            shapes=Shape,
            gates=gate_lines(),
            small=small_families(await self._devices()),
            standard=standard(),
        )

    def _bundles(self) -> list[str]:
        """The names of all bundles, by family, the newest of each first."""
        named = (one.published for one in self._catalogue.bundles())
        bundles = [one for one in named if isinstance(one, Bundle)]
        return [one.name for one in sorted(bundles, key=lambda one: (one.family, -one.counter))]

    async def _devices(self) -> dict[str, int]:
        """How many devices are let in, by family that something is published for."""
        devices = dict.fromkeys(self._families(), 0)
        for row in await self._listing.counts():
            if row.family in devices:
                devices[row.family] += row.devices - row.revoked
        return devices

    def _families(self) -> list[str]:
        return sorted({name.rpartition("/")[0] for name in self._bundles()})


def rollouts_section(
    door: Door, steering: Steering, catalogue: Catalogue, audit: Audit, live: LiveParts, listing: Listing
) -> Section:
    """Rollouts."""
    pages = _Rollouts(door, steering, catalogue, audit, live, listing)
    routes = (
        door.page("/rollouts", pages.show_list),
        door.page("/rollouts/start", pages.show_start, Role.OPERATOR),
        door.form("/rollouts/start", pages.start, Role.OPERATOR),
        door.page("/rollouts/{rollout}", pages.show),
        door.page("/rollouts/{rollout}/devices", pages.show_devices),
        door.stream("/stream/rollouts/{rollout}", pages.follow),
        door.form("/rollouts/{rollout}/{action}", pages.steer, Role.OPERATOR),
    )
    return Section("Rollouts", "/rollouts", Role.VIEWER, routes, key="r")


def _start_form(fields: Fields) -> StartForm:
    return StartForm(
        bundle=fields.text("bundle"),
        shape=fields.text("shape"),
        percents=fields.text("percents"),
        min_devices=fields.text("min_devices"),
        min_frames=fields.text("min_frames"),
        soak_hours=fields.text("soak_hours"),
        deadline_hours=fields.text("deadline_hours"),
        gates=fields.texts("gates"),
        on_fail=fields.text("on_fail"),
        written=fields.lines("written", PLAN_MAX),
        starts=fields.text("starts"),
        note=fields.text("note", NOTE_MAX),
        supersede=fields.is_on("supersede"),
    )


def _with_reason(witness: Witness, reason: str) -> Witness:
    """The same witness, told the reason beside what has become of it."""
    return partial(_reasoned, witness=witness, reason=reason) if reason else witness


def _reasoned(
    transaction: Transaction, before: Facts | None, after: Facts | None, *, witness: Witness, reason: str
) -> None:
    witness(transaction, before, None if after is None else {**after, "reason": reason})


def _name(text: str) -> str:
    """A rollout's name.

    Raises:
        NotFoundError: it is none.
    """
    if not _NAME.fullmatch(text):
        raise NotFoundError("there is no such rollout")
    return text
