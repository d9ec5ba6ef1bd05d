"""Trainings: the list, one of them with its gates, asking for one, and cancelling one."""

import re

from starlette.responses import Response

from cloud_server.console.door import Door
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.training_view import Line, viewed
from cloud_server.console.visit import Fields, Visit
from cloud_server.errors import NotFoundError
from cloud_server.operators.roles import Role
from cloud_server.registry.catalogue import Catalogue
from cloud_server.trainings.runs import Runs

PATH = "/training"
PAGE = 25
REASON_MAX = 500
_NAME = re.compile(r"[a-z2-7]{8}")


def trainings_section(door: Door, runs: Runs, catalogue: Catalogue) -> Section:
    """Trainings."""
    pages = _Trainings(runs, catalogue)
    routes = (
        door.page(PATH, pages.show_list),
        door.form(f"{PATH}/ask", pages.ask, Role.OPERATOR),
        door.page(f"{PATH}/{{run}}", pages.show),
        door.form(f"{PATH}/{{run}}/cancel", pages.cancel, Role.OPERATOR),
    )
    return Section("Training", PATH, Role.VIEWER, routes, key="t")


class _Trainings:
    """The pages and forms."""

    def __init__(self, runs: Runs, catalogue: Catalogue) -> None:
        self._runs = runs
        self._catalogue = catalogue

    async def show_list(self, visit: Visit) -> Response:
        """A page of trainings, the newest first."""
        family, after = visit.query.text("family") or None, visit.query.text("after") or None
        found = await self._runs.page(family, after and _name(after), PAGE)
        return visit.page(
            "trainings.html",
            lines=[Line.of(run, self._is_published, visit.now) for run in found],
            family=family or "",
            families=self._families(),
            after=found[-1].id if len(found) == PAGE else "",
            is_first=after is None,
        )

    async def show(self, visit: Visit) -> Response:
        """One training."""
        run = await self._runs.find(_name(visit.part("run")))
        return visit.page("training.html", view=viewed(run, self._is_published, visit.now))

    async def ask(self, visit: Visit, fields: Fields) -> Response:
        """Have a family trained anew."""
        family, reason = fields.text("family", 63), fields.text("reason", REASON_MAX)
        asked = await self._runs.ask(family, reason or None, visit.name, visit.witness("run.ask", family))
        return visit.go(f"{ROOT}{PATH}/{asked.id}", f"{family} is trained anew as soon as a trainer takes it.")

    async def cancel(self, visit: Visit, _fields: Fields) -> Response:
        """End a training that waits or is under way."""
        name = _name(visit.part("run"))
        await self._runs.cancel(name, visit.witness("run.cancel", name))
        return visit.go(f"{ROOT}{PATH}/{name}", "The training is cancelled.")

    def _is_published(self, name: str) -> bool:
        return self._catalogue.find(name) is not None

    def _families(self) -> list[str]:
        return sorted({one.published.family for one in self._catalogue.bundles()})


def _name(text: str) -> str:
    """A run's name.

    Raises:
        NotFoundError: it is none.
    """
    if not _NAME.fullmatch(text):
        raise NotFoundError("there is no such training")
    return text
