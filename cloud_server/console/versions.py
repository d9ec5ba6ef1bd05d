"""The versions: what is published for each family, what it costs and achieves, its tables; and releasing fallbacks."""

from dataclasses import dataclass

from starlette.responses import Response

from cloud_server.console.door import Door
from cloud_server.console.expectations import Verdict
from cloud_server.console.sections import Section
from cloud_server.console.version_view import (
    address_of,
    fallback_row,
    family_plot,
    reference_facts,
    tables_of,
    version_row,
    version_view,
)
from cloud_server.console.visit import Fields, Visit
from cloud_server.errors import NotFoundError
from cloud_server.operators.roles import Role
from cloud_server.registry.measured import Measurements
from cloud_server.registry.releasing import Releasing
from cloud_server.registry.versions import FallbackVersion, FamilyVersions, Version, Versions

PATH = "/versions"
VERDICT_KINDS = {
    Verdict.UNKNOWN: "quiet",
    Verdict.AS_EXPECTED: "good",
    Verdict.BETTER: "good",
    Verdict.WORSE: "bad",
}
SHOWN, PAGE = 5, 40
"""So many versions of each family on the first page, and of one on a page of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionParts:
    """What the pages of versions show and do: the use cases that the API calls, too."""

    versions: Versions
    measurements: Measurements
    releasing: Releasing


def versions_section(door: Door, parts: VersionParts) -> Section:
    """All families, one of them, and one version."""
    pages, releasing = _Pages(parts), _Releasing(parts)
    family = f"{PATH}/{{family}}"
    routes = (
        door.page(PATH, pages.show_all),
        door.page(family, pages.show_family),
        door.page(f"{family}/{{version}}", pages.show_version),
        door.form(f"{family}/release", releasing.release, Role.OPERATOR),
        door.form(f"{family}/withdraw", releasing.withdraw, Role.OPERATOR),
    )
    return Section("Versions", PATH, Role.VIEWER, routes, key="v")


class _Pages:
    """What is shown."""

    def __init__(self, parts: VersionParts) -> None:
        self._versions = parts.versions
        self._measurements = parts.measurements

    async def show_all(self, visit: Visit) -> Response:
        """Every family, with its newest versions and those that are in use."""
        families = []
        for found in await self._versions.by_family():
            shown = in_use(found)
            measured = await self._measurements.of(found.family, [f"v{one.bundle.counter}" for one in shown])
            rows = [version_row(version, measured) for version in shown]
            families.append((found, rows, [fallback_row(one) for one in found.fallbacks[:SHOWN]]))
        return visit.page("versions.html", families=families)

    async def show_family(self, visit: Visit) -> Response:
        """One family: its versions a page at a time, and its plot."""
        found = await self._versions.of_family(visit.part("family"))
        before = visit.query.number("before")
        older = [one for one in found.versions if before is None or one.bundle.counter < before]
        shown, has_more = older[:PAGE], len(older) > PAGE
        tables = {*tables_of(found), *(f"v{one.bundle.counter}" for one in shown)}
        measured = await self._measurements.of(found.family, tables)
        return visit.page(
            "family.html",
            family=found.family,
            rows=[version_row(version, measured) for version in shown],
            fallbacks=[fallback_row(one) for one in found.fallbacks],
            plot=family_plot(found, measured),
            first=None if before is None else address_of(found.family),
            older=f"{address_of(found.family)}?before={shown[-1].bundle.counter}" if has_more else None,
        )

    async def show_version(self, visit: Visit) -> Response:
        """One version, or one fallback."""
        found, name = await self._versions.of_family(visit.part("family")), visit.part("version")
        for fallback in found.fallbacks:
            if fallback.fallback.name == f"{found.family}/{name}":
                return await self._show_fallback(visit, fallback)
        version = next((one for one in found.versions if str(one.bundle.counter) == name), None)
        if version is None:
            raise NotFoundError(f"no version {name[:32]} of family {found.family} is published")
        return await self._show_bundle(visit, found, version)

    async def _show_bundle(self, visit: Visit, found: FamilyVersions, version: Version) -> Response:
        tables = {*tables_of(found), f"v{version.bundle.counter}"}
        measured = await self._measurements.of(found.family, tables)
        reference = await self._versions.reference(version.bundle.classifier)
        view = version_view(found, version, measured, reference)
        return visit.page(
            "version.html", view=view, bundle=version.bundle, family=found.family, verdict_kinds=VERDICT_KINDS
        )

    async def _show_fallback(self, visit: Visit, fallback: FallbackVersion) -> Response:
        reference = await self._versions.reference(fallback.fallback.classifier)
        return visit.page(
            "fallback.html",
            row=fallback_row(fallback),
            version=fallback,
            fallback=fallback.fallback,
            reference=reference_facts(reference),
        )


class _Releasing:
    """Which fallback answers a family."""

    def __init__(self, parts: VersionParts) -> None:
        self._releasing = parts.releasing

    async def release(self, visit: Visit, fields: Fields) -> Response:
        """Have a fallback answer its family."""
        family, name = visit.part("family"), fields.text("name", 80)
        await self._releasing.release(family, name, visit.witness("fallback.release", family))
        return visit.go(address_of(family), f"{name} answers the family's frames of unknown tables now.")

    async def withdraw(self, visit: Visit, _fields: Fields) -> Response:
        """Have no fallback answer the family."""
        family = visit.part("family")
        await self._releasing.withdraw(family, visit.witness("fallback.withdraw", family))
        return visit.go(address_of(family), "No fallback answers the family now.")


def in_use(found: FamilyVersions) -> list[Version]:
    """The newest versions of a family, and whichever others it is assigned or led to; newest first."""
    newest = found.versions[:SHOWN]
    others = [one for one in found.versions[SHOWN:] if one.is_assigned or one.rollout is not None]
    return [*newest, *others]
