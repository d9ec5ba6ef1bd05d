"""The overview: what is known is shown with its interval, and what is not is said to be unknown."""

from cloud_server.console.overview import Overview, overview_of
from cloud_server.console.rendering import Pages
from cloud_server.console.troubles import Facts
from cloud_server.registry.daily import daily_of
from cloud_server.storage.rows.daily_sums import DAY_SECONDS, DayAnswered, DaySpent
from tests.cloud_server.harness.console import ConsoleClient
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness

TODAY = 20_000
NOW = TODAY * DAY_SECONDS + 60.0


def overview(spent: list[DaySpent], answered: list[DayAnswered], **facts: object) -> Overview:
    daily = daily_of(spent, answered, [], range(TODAY - 1, TODAY + 1))
    return overview_of(daily, Facts(**facts), 3, NOW, lambda path: path == "/audit")  # type: ignore[arg-type]


def test_a_trouble_points_only_to_pages_that_are_there() -> None:
    found = overview([], [], audit_fault="row 3 of the audit was changed", stale=2).troubles
    assert [trouble.path for trouble in found] == ["/audit", ""]


def test_accuracy_is_drawn_from_one_audited_day_on_and_other_labels_draw_none() -> None:
    labelled = DayAnswered(TODAY, "digits", 10, 9, 9)
    assert overview([], [labelled]).accuracy_chart() is None
    chart = overview([], [labelled._replace(audited=4, audited_correct=3)]).accuracy_chart()
    assert chart is not None
    assert "75.0 % of 4 audited frames" in chart
    assert chart.count("<circle") == 1


def test_the_chart_of_bytes_says_of_each_day_what_was_sent_and_saved() -> None:
    spent = [DaySpent(TODAY, "digits", "interchange", 10, 10_000, 900), DaySpent(TODAY, "digits", "v1", 30, 6_000, 900)]
    chart = overview(spent, []).bytes_chart()
    assert "2024-10-04: 16.0 kB for 40 frames, 60.0 % less than ordinary JPEG" in chart


def test_without_a_frame_the_page_says_so_and_draws_no_axis() -> None:
    pages = Pages(lambda: NOW)
    page = pages.render("overview_part.html", overview=overview([], []), now=NOW)
    assert "No frames yet." in page
    assert "<svg" not in page
    spent = [DaySpent(TODAY, "digits", "interchange", 10, 10_000, 900)]
    page = pages.render("overview_part.html", overview=overview(spent, []), now=NOW)
    assert "<svg" in page and "sent by devices" in page
    assert "saved against ordinary JPEG" not in page, "the legend names what is drawn"


def test_the_page_shows_what_a_device_sends(site: ServerHarness, admin: ConsoleClient) -> None:
    assert site.enrol("digits").post(frame(tables(50))).status_code == 200
    page = admin.get("/")
    assert "frames today" in page
    assert "no device has posted ordinary JPEG, which would tell what it costs" in page
    assert "until frames of the random audit are labelled" in page
    assert "Nothing that this server watches is wrong." in page


def test_an_estimate_stands_beside_what_the_audit_says() -> None:
    answered = [DayAnswered(TODAY - day, "digits", 100, 20, 20, 100, 90_000_000, 10, 8) for day in (1, 0)]
    found = overview([], answered)
    assert found.estimated is not None
    assert (found.estimated.frames, found.estimated.share) == (200, 0.9)
    assert found.audited is not None
    assert (found.audited.labelled, found.audited.share) == (20, 0.8)
    assert found.estimated.low < 0.9 < found.estimated.high
    assert "90.0 % of 100 frames" in (found.accuracy_chart() or "")
    assert "80.0 % of 10 audited frames" in (found.accuracy_chart() or "")
