"""What a device's page says of what is known: why it runs what it should, bytes a day, how right it is."""

from dataclasses import replace
from typing import Any

import pytest

from cloud_server.console.device_view import DAY_SECONDS, DAYS, Known, device_view, way_back, why_it_runs
from cloud_server.feedback.device_record import LABELLED_MAX
from cloud_server.fleet.exposure import Exposure, Reach
from cloud_server.fleet.listing import Described, Listed
from cloud_server.storage.rows.device_answers import AnswerRow, LabelledRow
from cloud_server.storage.rows.device_days import DayRow
from cloud_server.storage.rows.fleet import EventRow
from tests.cloud_server.console.test_device_marks import LISTED, NOW, ROW, assignment, hold

TODAY = int(NOW) // DAY_SECONDS
ROLLOUT = Exposure("abc", "digits", assignment(2), (Reach(5.0, frozenset()),))


def known(**changes: Any) -> Known:
    """A device of which nothing is known but that it is there."""
    facts: dict[str, Any] = {
        "described": Described(LISTED, None, ()),
        "exposure": None,
        "days": (),
        "labelled": (),
        "answers": (),
        "kept": (),
        "today": TODAY,
    }
    return Known(**(facts | changes))


@pytest.mark.parametrize(
    ("listed", "exposure", "why"),
    [
        (LISTED, None, "Its family is assigned that."),
        (replace(LISTED, target=None), None, "Nothing is assigned to its family yet."),
        (
            replace(LISTED, row=ROW._replace(revoked_at=NOW)),
            ROLLOUT,
            "It is revoked: whatever it sends is refused, so it runs on with what it has.",
        ),
        (LISTED, ROLLOUT, "Rollout abc leads it there."),
        (replace(LISTED, target=assignment(1)), ROLLOUT, "Its family is assigned that."),
        (replace(LISTED, pin=hold(2)), ROLLOUT, "It is pinned there, whatever its family runs."),
        (
            replace(LISTED, pin=hold(2), quarantine=hold(2, "it was stolen")),
            None,
            "It is held there in quarantine: it was stolen.",
        ),
        (replace(LISTED, pin=hold(2), quarantine=hold(None)), None, "It is pinned there, whatever its family runs."),
    ],
)
def test_why_a_device_should_run_what_it_should_is_said(listed: Listed, exposure: Exposure | None, why: str) -> None:
    assert why_it_runs(listed, exposure) == why


@pytest.mark.parametrize(("tables", "is_behind"), [("v1", True), ("v2", False), ("interchange", True), (None, False)])
def test_a_device_is_behind_where_it_sends_something_else_than_it_should(
    tables: str | None, *, is_behind: bool
) -> None:
    listed = replace(LISTED, row=ROW._replace(last_tables=tables))
    assert device_view(known(described=Described(listed, None, ())), NOW).is_behind is is_behind


def test_of_a_revoked_device_no_version_is_said_that_it_should_run() -> None:
    revoked = replace(LISTED, row=ROW._replace(revoked_at=NOW, last_tables="v1"))
    view = device_view(known(described=Described(revoked, None, ())), NOW)
    assert (view.should_run, view.is_behind) == ("", False)


@pytest.mark.parametrize("event", ["rolled-back", "rejected"])
def test_a_device_that_went_back_from_what_it_should_run_says_how_it_is_tried_again(event: str) -> None:
    told = EventRow(assignment(2).seq, event, "digits/2.json", "failed-trial", None, 9.0)
    assert "pin it to v2 or start another rollout" in way_back(LISTED, [told])
    assert way_back(LISTED, [told._replace(event="confirmed"), told]) == ""
    assert way_back(LISTED, [told._replace(seq=told.seq + 1)]) == "", "it was told of another assignment"
    assert way_back(LISTED, []) == ""


def test_every_day_has_its_bar_also_one_on_which_nothing_came() -> None:
    days = [DayRow(7, TODAY - DAYS + 1, 1, 100, 50, 70), DayRow(7, TODAY, 3, 300, 150, 70)]
    view = device_view(known(days=days), NOW)
    assert [bar.parts for bar in view.bars] == [(100, 50), *[(0, 0)] * (DAYS - 2), (300, 150)]
    assert (view.sent_bytes, view.frames, view.bytes_a_frame) == (600, 4, 150.0)
    assert view.bars[-1].hint == "2001-09-09: 450 B in 3 frames"
    assert view.bars[-1].label == "09-09"


def test_bytes_of_companions_alone_are_no_bytes_a_frame() -> None:
    assert device_view(known(days=[DayRow(7, TODAY, 0, 300, 150, 70)]), NOW).bytes_a_frame is None


def test_how_right_a_device_is_is_said_by_who_says_so() -> None:
    view = device_view(known(labelled=[LabelledRow("audit", 10, 9), LabelledRow("sensor", 30, 20)]), NOW)
    assert view.accuracy is not None
    assert (view.accuracy.labelled, view.accuracy.correct, view.are_labels_cut) == (40, 29, False)
    assert [(one.by, one.accuracy.correct) for one in view.judged] == [("an audit", 9), ("the device itself", 20)]
    assert device_view(known(), NOW).accuracy is None


def test_that_only_the_newest_labels_are_counted_is_said() -> None:
    assert device_view(known(labelled=[LabelledRow("sensor", LABELLED_MAX, 20)]), NOW).are_labels_cut


def test_updates_are_told_in_words_with_the_reason() -> None:
    events = [
        EventRow(2, "rolled-back", "digits/2.json", "frames-refused", "three in a row", 9.0),
        EventRow(1, "confirmed", "digits/1.json", None, None, 5.0),
    ]
    view = device_view(known(described=Described(LISTED, None, events)), NOW)
    assert [(update.bundle, update.mark.words, update.why) for update in view.updates] == [
        ("digits/2", "rolled it back", "frames-refused: three in a row"),
        ("digits/1", "confirmed it", ""),
    ]


def test_a_heartbeat_is_told_in_words() -> None:
    described = Described(LISTED, {"uptime_seconds": 90.0, "boots": 1}, ())
    assert device_view(known(described=described), NOW).told == [("running for", "1 min 30 s; 1 start in all")]


def test_frames_have_their_moment_and_what_is_known_of_them() -> None:
    answer = AnswerRow(4, "one", 0.5, "digits/1", "exact", "v1", 9_000_000_000, "two", "human", False, "near_threshold")
    (frame,) = device_view(known(answers=[answer]), NOW).answers
    assert (frame.at, frame.true_label, frame.is_correct, frame.kept_for) == (9.0, "two", False, "low confidence")
