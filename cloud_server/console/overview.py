"""The overview: what the fleet sends and saves, how right the answers are, and what is wrong now."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup
from starlette.responses import Response

from cloud_server.console import charts, words
from cloud_server.console.door import Door
from cloud_server.console.rendering import Pages
from cloud_server.console.sections import Section
from cloud_server.console.stream import LiveParts
from cloud_server.console.troubles import Facts, Trouble, troubles_of
from cloud_server.console.visit import Visit
from cloud_server.operators.roles import Role
from cloud_server.registry.daily import Daily, Day, Estimated
from cloud_server.registry.report import Accuracy

DAYS = 14
EVERY_TICKS = 5
"""It is followed every ten seconds: it takes a hundredth of a second to make, and nothing on it hurries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the page shows."""

    today: Day
    total: Day
    days: Sequence[Day]
    devices: int
    troubles: Sequence[Trouble]

    @property
    def audited(self) -> Accuracy | None:
        """The accuracy by the random audit over all the days: a fair sample."""
        return self.total.audited

    @property
    def estimated(self) -> Estimated | None:
        """The accuracy by confidences over all the days; None: no version that answered is calibrated."""
        return self.total.estimated

    @property
    def has_savings(self) -> bool:
        """Whether something was saved on any day, so that the chart shows it."""
        return any(day.saving is not None and day.saving > 0 for day in self.days)

    def bytes_chart(self) -> Markup:
        """Bytes a day, and what of ordinary JPEG's was saved above them."""
        bars = [
            charts.Bar(
                words.day(day.began_at)[5:],
                (day.received_bytes, max(0.0, (day.ordinary_bytes or 0.0) - day.received_bytes)),
                _hint(day),
            )
            for day in self.days
        ]
        about = f"Devices sent {words.size(self.total.received_bytes)} in {len(self.days)} days."
        return charts.bars("Bytes a day", bars, words.size, about)

    def accuracy_chart(self) -> Markup | None:
        """Accuracy day by day, by the random audit and by estimate; None where neither is known of any day."""
        by_audit = [(day, day.audited, "audited frames", day.audited.labelled) for day in self.days if day.audited]
        by_estimate = [(day, day.estimated, "frames", day.estimated.frames) for day in self.days if day.estimated]
        series = [
            charts.Line(name, [_dot(*each) for each in known])
            for name, known in (("by the random audit", by_audit), ("by estimate", by_estimate))
        ]
        if not any(line.dots for line in series):
            return None
        labels = [(float(day.day), words.day(day.began_at)[5:]) for day in self.days]
        return charts.lines("Accuracy a day", series, labels, lambda share: words.percent(share, 0))


def overview_section(door: Door, pages: Pages, live: LiveParts, gather: Callable[[], Awaitable[Overview]]) -> Section:
    """The first page, and the stream that keeps it up to date."""

    async def show(visit: Visit) -> Response:
        return visit.page("overview.html", overview=await gather())

    async def follow(visit: Visit) -> Response:
        async def render() -> str:
            return pages.render("overview_part.html", overview=await gather(), now=pages.now())

        return live.stream("overview", visit.name, render, lambda: door.is_let_in(visit.request), EVERY_TICKS)

    routes = (door.page("/", show), door.page("", show), door.stream("/stream/overview", follow))
    return Section("Overview", "/", Role.VIEWER, routes, key="o")


def overview_of(daily: Daily, facts: Facts, devices: int, now: float, seen: Callable[[str], bool]) -> Overview:
    """What the page shows, of what is known.

    Args:
        seen: whether there is a page of this path: troubles point to no others.
    """
    troubles = [each if seen(each.path) else replace(each, path="") for each in troubles_of(facts, now)]
    return Overview(
        today=daily.days[-1],
        total=daily.total,
        days=daily.days,
        devices=devices,
        troubles=troubles,
    )


def _dot(day: Day, known: Accuracy | Estimated, unit: str, count: int) -> charts.Dot:
    hint = f"{words.day(day.began_at)}: {words.percent(known.share)} of {words.count(count)} {unit}"
    return charts.Dot(float(day.day), known.share, known.low, known.high, hint)


def _hint(day: Day) -> str:
    saved = "" if day.saving is None else f", {words.percent(day.saving)} less than ordinary JPEG"
    frames = words.plural(day.frames, "frame")
    return f"{words.day(day.began_at)}: {words.size(day.received_bytes)} for {frames}{saved}"
