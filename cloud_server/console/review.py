"""Review: one kept frame at a time, labelled by key or by form, skipped, and the last one taken back."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from cloud_server.console.door import Door
from cloud_server.console.kept_for import REASONS
from cloud_server.console.live import version_of
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.visit import Fields, Visit
from cloud_server.errors import NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.reasons import Reason
from cloud_server.feedback.reviewing import Progress, Reviewed, Reviewing, Shown, matching
from cloud_server.operators.roles import Role
from shared.errors import PeerError

LABEL_MAX = 128
LISTED_MAX = 300
"""Of so many labels all are listed on the page; of more they are searched."""
FOUND_MAX = 9

WHY: Mapping[Reason, str] = {
    Reason.RANDOM: "It was kept by chance, as part of the random audit.",
    Reason.NEAR_THRESHOLD: "It was kept because the classifier was not sure.",
    Reason.RARE_CLASS: "It was kept because this answer is rare.",
    Reason.DISAGREEMENT: "It was kept because a sensor's label contradicts the answer.",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A label that can be given with one press; `key` is its digit, empty beyond nine."""

    label: str
    key: str
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """What somebody works through: a family, and one reason or (None) all of them."""

    family: str
    reason: Reason | None

    def address(self, **more: str) -> str:
        """The page of it."""
        asked = {"family": self.family, "reason": self.reason.value if self.reason else "", **more}
        return f"{ROOT}/review?{urlencode({name: value for name, value in asked.items() if value})}"


def choices(shown: Shown, searched: str, labels: tuple[str, ...]) -> tuple[Choice, ...]:
    """The labels that are offered: what was searched for, else what is suggested. Of a blind frame none stands out."""
    offered = matching(labels, searched, FOUND_MAX) if searched else shown.suggestions
    answer = None if shown.is_blind else shown.sample.answer
    return tuple(
        Choice(label, str(number) if number <= FOUND_MAX else "", label == answer)
        for number, label in enumerate(offered, start=1)
    )


def said_of(reviewed: Reviewed, label: str) -> str:
    """What has come of a label, in words; of the random audit nothing is told that could sway a second thought."""
    sample, labelled = reviewed.sample, reviewed.labelled
    if not labelled.stands:
        return f"{sample.frame_id} keeps its label: one of higher authority is there."
    said = f"{sample.frame_id} is labelled {label}"
    if sample.reason is not Reason.RANDOM:
        verdict = "right" if labelled.is_correct else "wrong"
        said += f"; the classifier had said {sample.answer} ({100 * sample.confidence:.0f} %), which was {verdict}"
    return f"{said}. No classifier of the family knows this label." if labelled.is_foreign else f"{said}."


class _Review:
    """The page and its forms."""

    def __init__(self, reviewing: Reviewing) -> None:
        self._reviewing = reviewing

    async def show(self, visit: Visit) -> Response:
        """The frame that is to be labelled now; without any, what there is to work through."""
        families = list(await self._reviewing.families())
        if not families:
            return visit.page("review_nothing.html")
        queue = _queue(visit.query, families)
        progress = await self._reviewing.progress(queue.family)
        labels = await self._reviewing.label_set(queue.family)
        shown = await self._reviewing.next_frame(visit.name, queue.family, queue.reason)
        searched = visit.query.text("q", LABEL_MAX)
        return visit.page(
            "review.html",
            queue=queue,
            families=families,
            reasons=REASONS,
            why=WHY,
            version_of=version_of,
            progress=progress,
            total=_total(progress, queue.reason),
            shown=shown,
            choices=() if shown is None else choices(shown, searched, labels),
            searched=searched,
            is_known=searched in labels,
            listed=labels if len(labels) <= LISTED_MAX else (),
            labels=len(labels),
            last=await self._reviewing.last_done(visit.name),
        )

    async def label(self, visit: Visit, fields: Fields) -> Response:
        """Say what a frame shows."""
        frame, label = FrameId.parse(fields.text("frame")), fields.text("label", LABEL_MAX)
        if not label:
            raise PeerError("choose a label")
        witness = visit.witness("frame.label", str(frame))
        reviewed = await self._reviewing.label(frame, label, visit.name, witness)
        return visit.go(_back(fields), said_of(reviewed, label))

    async def skip(self, visit: Visit, fields: Fields) -> Response:
        """Leave a frame for later."""
        await self._reviewing.skip(FrameId.parse(fields.text("frame")), visit.name)
        return visit.go(_back(fields))

    async def undo(self, visit: Visit, fields: Fields) -> Response:
        """Take back what was done last."""
        frame = FrameId.parse(fields.text("frame"))
        await self._reviewing.undo(frame, visit.name, visit.witness("frame.label.undo", str(frame)))
        return visit.go(_back(fields), f"{frame} is as it was before, and waits for a label again.")


def review_section(door: Door, reviewing: Reviewing) -> Section:
    """Labels for kept frames."""
    page = _Review(reviewing)
    routes = (
        door.page("/review", page.show, Role.TRAINER),
        door.form("/review/label", page.label, Role.TRAINER),
        door.form("/review/skip", page.skip, Role.TRAINER),
        door.form("/review/undo", page.undo, Role.TRAINER),
    )
    return Section("Review", "/review", Role.TRAINER, routes, key="w")


def _queue(query: Fields, families: list[str]) -> Queue:
    """What is asked for; what nobody has kept is no family."""
    asked, reason = query.text("family"), query.text("reason")
    if asked and asked not in families:
        raise NotFoundError(f"no frame of a family {asked!r} was kept lately")
    return Queue(asked or families[0], next((each for each in Reason if each.value == reason), None))


def _back(fields: Fields) -> str:
    family, reason = fields.text("family"), fields.text("reason")
    return Queue(family, next((each for each in Reason if each.value == reason), None)).address()


def _total(progress: Mapping[Reason, Progress], reason: Reason | None) -> Progress:
    counted = [one for key, one in progress.items() if reason in (None, key)]
    return Progress(sum(one.kept for one in counted), sum(one.labelled for one in counted))
