"""The pages of versions: what is published, its tables as heat maps, expected against measured, releasing fallbacks."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from cloud_server.console.versions import PAGE, SHOWN, in_use
from cloud_server.fleet.exposure import Exposure
from cloud_server.operators.roles import Role
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows import sums
from cloud_server.storage.schema import bundles
from shared.bundle import Disagreement, Reference
from shared.wire import Match
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.registry.test_versions import Field, assignment, versions
from tests.shared.bundle.test_bundle import make

SCAN_BYTES, SHARE_RIGHT = 250, 0.25
"""Of version 1 as the field shows it; 200 bytes and a half were expected."""


@pytest.fixture(scope="module")
def fallback(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fallback's folder."""
    folder = tmp_path_factory.mktemp("fallback") / "fallback"
    write_fallback(folder, FAMILY)
    return folder


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path], fallback: Path
) -> Iterator[ServerHarness]:
    """A server with versions 1, which is assigned and has answered, 2, and 3 with a reference; and a fallback."""
    folder = tmp_path_factory.mktemp("site")
    reference = Reference(temperature=1.25, disagreement=Disagreement(counter=2, share=0.03, n=1000))
    write_bundle(folder / "v3", FAMILY, 3, tables(10), seed=3, reference=reference)
    with server_in_thread(folder, wait_max_seconds=30) as harness:
        for each in (*bundle_folders.values(), folder / "v3", fallback):
            harness.publish(each)
        harness.assign(FAMILY, 1)
        hour = int(time.time()) // sums.HOUR_SECONDS
        with harness.database() as database:
            answered = sums.AnswerSum(
                FAMILY, "v1", Match.EXACT.value, hour, 0, 1000, 1000 * SCAN_BYTES, 500, 200, 0, 0, 400, 100
            )
            sums.add_answer(database, answered)
            sums.add_bytes(database, [sums.ByteSum(FAMILY, "v1", hour, 0, 1000, 1000 * SCAN_BYTES, 0, 50, 60, 70)])
            add_what_waits(database)
        yield harness


def test_every_family_shows_its_versions_newest_first_and_which_is_assigned(admin: ConsoleClient) -> None:
    page = admin.get("/versions")
    assert re.findall(rf'/console/versions/{FAMILY}/(\d+)"', page) == ["3", "2", "1"]
    assert page.count("assigned</span>") == 1


def test_a_version_shows_its_quantisation_steps_as_heat_maps(admin: ConsoleClient) -> None:
    page = admin.get(f"/versions/{FAMILY}/2")
    steps = tables(25).quant
    maps = re.findall(r'<figure class="heat">.*?</figure>', page, re.DOTALL)
    assert len(maps) == 2
    for shown, wanted in zip(maps, steps[:2], strict=True):
        assert re.findall(r"<text[^>]*>(\d+)</text>", shown) == [str(step) for step in wanted]
        (description,) = re.findall(r'aria-label="([^"]+)"', shown)
        assert " ".join(str(step) for step in wanted[:8]) in description


def test_expected_and_measured_stand_beside_each_other_with_a_verdict(admin: ConsoleClient) -> None:
    page = admin.get(f"/versions/{FAMILY}/1")
    assert "250 on average, over 1\u202f000 frames" in page
    assert "On average 25.0 % more than the trainer&#39;s median" in page
    assert "25.0 % (21.0 % to 29.5 %) of 400 audited frames" in page
    assert "The whole interval is below what was expected." in page
    assert page.count(">worse</span>") == 2


def test_a_version_lies_on_its_familys_rate_accuracy_plot(admin: ConsoleClient) -> None:
    page = admin.get(f"/versions/{FAMILY}/1")
    assert re.findall(r'<g class="(\w+) this">', page) == ["expected", "measured"]
    assert "v1 measured: 250 bytes a frame, 25.0 % right" in page
    drawn = set(re.findall(r'<g class="(\w+)(?: this)?"><title>', page))
    assert drawn == set(re.findall(r'<li class="(\w+)"><span>', page)), "the legend names what is drawn"
    family = admin.get(f"/versions/{FAMILY}")
    assert len(re.findall(r'<g class="expected">', family)) == 3


def test_what_the_trainer_measured_for_the_server_is_told(admin: ConsoleClient) -> None:
    page = admin.get(f"/versions/{FAMILY}/3")
    assert "On 3.0 % of 1\u202f000 held-out pictures v2 names another label." in page
    assert "Confidences are calibrated with 1.25." in page
    assert "Disagreement" not in admin.get(f"/versions/{FAMILY}/2")


def test_the_first_page_has_the_newest_versions_and_whichever_else_is_in_use() -> None:
    field = Field()
    field.assigned[FAMILY] = assignment(FAMILY, 1)
    field.rollouts[FAMILY] = Exposure("abc", FAMILY, assignment(FAMILY, 3), ())
    count = SHOWN + 4
    found = asyncio.run(versions(field, [f"{FAMILY}/{n}" for n in range(1, count + 1)]).of_family(FAMILY))
    assert [one.bundle.counter for one in in_use(found)] == [*range(count, count - SHOWN, -1), 3, 1]


def test_a_family_with_many_versions_is_shown_a_page_at_a_time(site: ServerHarness, admin: ConsoleClient) -> None:
    made = [make(family="many", counter=counter, min_counter=1) for counter in range(1, PAGE + 3)]
    rows = [
        {"family": "many", "counter": one.counter, "data": one.to_bytes(), "registered_at": time.time()} for one in made
    ]
    with site.database() as database:
        database.execute(insert(bundles), rows)

    def shown(path: str) -> list[str]:
        return re.findall(r'<th scope="row"><a href="/console/versions/many/(\d+)"', admin.get(path))

    wait_until(lambda: "/console/versions/many" in admin.get("/versions"))
    assert shown("/versions/many") == [str(counter) for counter in range(PAGE + 2, 2, -1)]
    assert 'href="/console/versions/many?before=3"' in admin.get("/versions/many")
    assert shown("/versions/many?before=3") == ["2", "1"]


def test_only_who_may_start_a_rollout_is_led_to_it_and_not_for_what_is_assigned(
    site: ServerHarness, admin: ConsoleClient
) -> None:
    address = f"/console/rollouts/start?bundle={FAMILY}/"
    assert f"{address}2" in admin.get(f"/versions/{FAMILY}/2")
    assert f'<option value="{FAMILY}/2" selected>' in admin.get(f"/rollouts/start?bundle={FAMILY}/2")
    assert address not in admin.get(f"/versions/{FAMILY}/1")
    assert address not in logged_in(site, "vera", Role.VIEWER).get(f"/versions/{FAMILY}/2")


@pytest.mark.parametrize("path", ["nothing", f"{FAMILY}/9", f"{FAMILY}/01", f"{FAMILY}/fallback-000000", f"{FAMILY}/x"])
def test_what_is_not_published_is_not_found(admin: ConsoleClient, path: str) -> None:
    assert "That did not work" in admin.get(f"/versions/{path}", 404)


def test_a_fallback_is_released_and_withdrawn_and_both_are_audited(site: ServerHarness, admin: ConsoleClient) -> None:
    (row,) = site.client("operator").get("/v1/fallbacks").json()["fallbacks"]
    page = f"/versions/{row['name']}"
    assert "not released" in admin.get(page)
    released = admin.done(f"/versions/{FAMILY}/release", {"name": row["name"]}, page)
    assert "answers the family&#39;s frames of unknown tables now" in released
    wait_until(lambda: "released: it answers" in admin.get(page))
    assert "fallback on standard, quality 50" in admin.get(f"/versions/{FAMILY}")
    admin.done(f"/versions/{FAMILY}/withdraw", {}, page)
    wait_until(lambda: "not released" in admin.get(page))
    entries = site.client("operator").get("/v1/audit", params={"subject": FAMILY}).json()["entries"]
    done = [entry["action"] for entry in reversed(entries) if entry["action"].startswith("fallback.")]
    assert done == ["fallback.release", "fallback.withdraw"]


def test_releasing_what_is_not_published_is_refused_in_words(admin: ConsoleClient) -> None:
    page = admin.done(f"/versions/{FAMILY}/release", {"name": f"{FAMILY}/fallback-000000"}, f"/versions/{FAMILY}")
    assert "is published" in page


def test_a_viewer_releases_nothing(site: ServerHarness) -> None:
    viewer = logged_in(site, "viktor", Role.VIEWER)
    (row,) = site.client("operator").get("/v1/fallbacks").json()["fallbacks"]
    for action in ("release", "withdraw"):
        answer = viewer.post(f"/versions/{FAMILY}/{action}", {"name": row["name"]}, f"/versions/{FAMILY}")
        assert answer.status_code == 403
