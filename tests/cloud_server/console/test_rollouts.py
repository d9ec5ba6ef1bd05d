"""Rollouts in the console over real HTTP: started by a form, steered with what was seen, followed without reload."""

import re
from html import unescape

import pytest

from cloud_server.operators.roles import Role
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import once
from tests.cloud_server.rollout.simulated import Fleet

TABLES = {1: tables(50), 2: tables(25)}
SIMPLE = {
    "bundle": "digits/2",
    "shape": "simple",
    "percents": "100",
    "min_devices": "1000",
    "min_frames": "0",
    "soak_hours": "0",
    "deadline_hours": "24",
    "on_fail": "rollback",
    "note": "finer <tables>",
}


def started(console: ConsoleClient, **changes: str) -> str:
    """Start a rollout by the form; its name."""
    answer = console.post("/rollouts/start", SIMPLE | changes, "/rollouts/start")
    assert answer.status_code == 303, answer.text
    name: str = answer.headers["location"].rpartition("/")[2]
    return name


def steered(console: ConsoleClient, rollout: str, action: str, **fields: str) -> str:
    """Do something to a rollout as its page shows it now; what the next page says."""
    page = f"/rollouts/{rollout}"
    return unescape(console.done(f"{page}/{action}", {"version": version(console, rollout), **fields}, page))


def version(console: ConsoleClient, rollout: str) -> str:
    """The version that the forms of a rollout's page carry."""
    return console.get(f"/rollouts/{rollout}").partition('name="version" value="')[2].partition('"')[0]


@pytest.fixture
def rollout(admin: ConsoleClient) -> str:
    """A rollout that goes on until somebody steers it; whatever another test left ends."""
    return started(admin, supersede="yes")


def reached(admin: ConsoleClient, rollout: str, words: str) -> str:
    """The page, as soon as it says these words."""

    def look() -> str | None:
        page = unescape(admin.get(f"/rollouts/{rollout}"))
        return page if words in page else None

    return once(look)


def test_a_rollout_is_started_by_the_form_and_stands_in_the_list(admin: ConsoleClient, rollout: str) -> None:
    page = reached(admin, rollout, "stage 1 of 1, 100 %")
    assert "finer <tables>" in page and "digits v1 → v2" in page
    assert "All cameras are led to v2" in page
    listed = unescape(admin.get("/rollouts?family=digits"))
    assert rollout in listed and "v1 → v2" in listed
    assert rollout not in admin.get("/rollouts?family=birds")


def test_cameras_that_prove_the_new_version_are_counted_and_listed(
    site: ServerHarness, admin: ConsoleClient, rollout: str
) -> None:
    reached(admin, rollout, "stage 1 of 1")
    fleet = Fleet.of(site, TABLES, 1)
    camera = fleet.cameras[0].device.device_id

    def proven() -> str | None:
        fleet.post()
        page = admin.get(f"/rollouts/{rollout}/devices?outcome=confirmed")
        return page if camera in page else None

    once(proven)
    assert "outcome=confirmed" in reached(admin, rollout, "outcome=confirmed")
    assert camera not in admin.get(f"/rollouts/{rollout}/devices?outcome=rejected")


def test_the_form_warns_of_a_family_too_small_for_its_gates(site: ServerHarness, admin: ConsoleClient) -> None:
    site.enrol(FAMILY)
    assert re.search(rf"{FAMILY} has \d+ devices?: fewer than 35", admin.get("/rollouts/start"))


def test_what_is_wrong_is_said_beside_what_was_typed(admin: ConsoleClient) -> None:
    answer = admin.post("/rollouts/start", SIMPLE | {"percents": "5, 25"}, "/rollouts/start")
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert "last stage has to reach everybody" in page
    assert 'value="5, 25"' in page and 'value="finer <tables>"' in page, "nothing that was typed is lost"


def test_a_second_rollout_of_a_family_says_which_one_is_active(admin: ConsoleClient, rollout: str) -> None:
    answer = admin.post("/rollouts/start", SIMPLE, "/rollouts/start")
    assert answer.status_code == 422
    assert f"Rollout {rollout} of digits to v2 is active" in unescape(answer.text)


def test_a_rollout_is_paused_resumed_and_rolled_back_and_the_history_says_why(
    site: ServerHarness, admin: ConsoleClient, rollout: str
) -> None:
    reached(admin, rollout, "stage 1 of 1")
    assert "paused in stage 1 of 1" in steered(admin, rollout, "pause", reason="lunch <now>")
    page = unescape(admin.get(f"/rollouts/{rollout}"))
    assert "An operator has paused it" in page and "lunch <now>" in page
    assert "stage 1 of 1" in steered(admin, rollout, "resume")
    assert "rolling back" in steered(admin, rollout, "rollback")
    found = site.client("operator").get("/v1/audit", params={"subject": rollout}).json()["entries"]
    by_people = [(one["action"], one["after"].get("reason")) for one in found if one["operator"] == "admin"]
    assert by_people == [("rollout.rollback", None), ("rollout.resume", None), ("rollout.pause", "lunch <now>")]


def test_a_stale_form_does_nothing_and_shows_how_it_stands_now(admin: ConsoleClient, rollout: str) -> None:
    reached(admin, rollout, "stage 1 of 1")
    seen = version(admin, rollout)
    steered(admin, rollout, "pause")
    page = f"/rollouts/{rollout}"
    said = unescape(admin.done(f"{page}/rollback", {"version": seen}, page))
    assert "Nothing was done: the rollout has changed since you looked at it" in said
    assert "paused in stage 1 of 1" in said and "rolling back" not in said


def test_what_the_state_does_not_allow_is_said_and_not_offered(admin: ConsoleClient, rollout: str) -> None:
    reached(admin, rollout, "stage 1 of 1")
    steered(admin, rollout, "abort")
    assert "it cannot be paused" in steered(admin, rollout, "pause")
    assert f"/rollouts/{rollout}/pause" not in admin.get(f"/rollouts/{rollout}")


def test_a_viewer_sees_it_all_and_steers_nothing(site: ServerHarness, admin: ConsoleClient, rollout: str) -> None:
    viewer = logged_in(site, "vera", Role.VIEWER)
    page = viewer.get(f"/rollouts/{rollout}")
    assert "Cameras" in page and "/pause" not in page
    assert "Start a rollout" not in viewer.get("/rollouts")
    viewer.get("/rollouts/start", status=403)
    answer = viewer.post(f"/rollouts/{rollout}/pause", {"version": "1"}, f"/rollouts/{rollout}")
    assert answer.status_code == 403
    assert "paused" not in admin.get(f"/rollouts/{rollout}")


@pytest.mark.parametrize("name", ["aaaaaaaa", "AAAAAAAA", "short", "%00aaaaaaa"])
def test_a_rollout_that_is_none_is_not_found(admin: ConsoleClient, name: str) -> None:
    assert "no rollout" in admin.get(f"/rollouts/{name}", 404) or "no such" in admin.get(f"/rollouts/{name}", 404)


@pytest.mark.parametrize("name", ["zzzzzzzz", "short"])
def test_a_rollout_that_is_none_has_no_stream(admin: ConsoleClient, name: str) -> None:
    with admin.http.stream("GET", f"/console/stream/rollouts/{name}") as answer:
        assert answer.status_code == 404


def test_the_stream_sends_the_page_anew_when_the_rollout_changes(admin: ConsoleClient, rollout: str) -> None:
    reached(admin, rollout, "stage 1 of 1")
    with admin.http.stream("GET", f"/console/stream/rollouts/{rollout}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert any("stage 1 of 1, 100 %" in line for line in lines)
        steered(admin, rollout, "pause", reason="to be seen")
        assert any("paused in stage 1 of 1" in line for line in lines)
        assert any("to be seen" in line for line in lines)


def test_every_family_is_led_to_what_is_published_for_it(admin: ConsoleClient) -> None:
    page = admin.get("/rollouts/start?bundle=digits/1")
    assert '<option value="digits/1" selected>' in page and '<option value="digits/2">' in page
    assert f"{FAMILY} v2" in page
