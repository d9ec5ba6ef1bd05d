"""The fleet's page: what is asked for is found on the server, and nothing that no form or link of ours asks for."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from sqlalchemy import insert

from cloud_server.console.fleet import PAGE, Asked, Show, row_of, shares_of
from cloud_server.console.visit import Fields
from cloud_server.fleet.heartbeats import HEARD_SECONDS
from cloud_server.operators.roles import Role
from cloud_server.storage.rows.fleet import CountRow, DeviceQuery, SeenPlace
from cloud_server.storage.schema import devices
from shared.errors import PeerError
from tests.cloud_server.console.test_device_marks import LISTED, NOW, ROW
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.server import ServerHarness

MANY = 2 * PAGE + 7
_DEVICE = re.compile(r'<th scope="row"><a href="/console/fleet/([a-z0-9]+)"')


@pytest.fixture(scope="module")
def crowd(site: ServerHarness) -> list[str]:
    """The public ids of devices of family crowd, the one that was here last first."""
    rows = [
        {"public_id": f"crowd{number}", "family": "crowd", "token_sha256": number.to_bytes(32), "enrolled_at": 0.0}
        | {"name": f"camera {number:03}", "last_seen_at": NOW - number, "last_tables": f"v{number % 7}"}
        for number in range(MANY)
    ]
    with site.database() as database:
        database.execute(insert(devices), rows)
    return [str(row["public_id"]) for row in rows]


def shown(page: str) -> list[str]:
    """The public ids of the devices on a page."""
    return _DEVICE.findall(page)


def following(page: str) -> str | None:
    """Where the next page is, below /console."""
    found = re.search(r'rel="next" href="/console([^"]+)"', page)
    return None if found is None else unescape(found.group(1))


def test_one_device_is_found_among_many_by_a_part_of_its_name(admin: ConsoleClient, crowd: list[str]) -> None:
    page = admin.get("/fleet?q=Camera+042")
    assert shown(page) == [crowd[42]]
    assert "1 device " in page


def test_pages_have_every_device_once_the_one_that_was_here_last_first(admin: ConsoleClient, crowd: list[str]) -> None:
    found: list[str] = []
    path: str | None = "/fleet?family=crowd"
    while path is not None:
        page = admin.get(path)
        assert len(shown(page)) <= PAGE
        found += shown(page)
        path = following(page)
    assert found == crowd


def test_who_runs_what_is_counted_and_each_count_leads_to_its_devices(admin: ConsoleClient, crowd: list[str]) -> None:
    page = admin.get("/fleet?family=crowd")
    addresses = re.findall(r'<th scope="row"><a href="/console(/fleet\?[^"]+)">v3</a>', page)
    (address,) = map(unescape, addresses)
    listed = admin.get(address)
    assert shown(listed) == [name for number, name in enumerate(crowd) if number % 7 == 3]


def test_a_search_without_a_find_says_so_and_leads_back(admin: ConsoleClient, crowd: list[str]) -> None:
    page = admin.get("/fleet?q=nothing+like+it")
    assert shown(page) == []
    assert "No device is like that." in page


def test_what_somebody_typed_stands_on_the_page_as_text(admin: ConsoleClient) -> None:
    assert '"><script>' not in admin.get("/fleet?q=%22%3E%3Cscript%3E")


def test_a_viewer_sees_the_fleet(site: ServerHarness, crowd: list[str]) -> None:
    assert shown(logged_in(site, "vera", Role.VIEWER).get("/fleet?q=camera+042")) == [crowd[42]]


@pytest.mark.parametrize("query", ["show=loud", "after=soon", "after=1.5_0", "after=nan_3", "after=1_99999999999"])
def test_what_no_form_or_link_asks_for_is_refused(admin: ConsoleClient, query: str) -> None:
    assert "That did not work" in admin.get(f"/fleet?{query}", 400)


@pytest.mark.parametrize(
    ("show", "wanted"),
    [
        ("", {}),
        ("silent", {"seen_before": NOW - HEARD_SECONDS, "is_revoked": False}),
        ("on-trial", {"is_on_trial": True}),
        ("failed", {"outcome": "rolled-back"}),
        ("pinned", {"is_pinned": True}),
        ("quarantined", {"is_quarantined": True}),
        ("clones", {"is_suspected_clone": True}),
        ("revoked", {"is_revoked": True}),
    ],
)
def test_each_choice_asks_for_just_that(show: str, wanted: dict[str, Any]) -> None:
    assert Asked.of(Fields(f"show={show}")).query(NOW) == DeviceQuery(**wanted)
    assert {each.value for each in Show} >= {show}


def test_an_address_asks_for_what_it_was_made_of() -> None:
    asked = Asked("a&b", "digits", "v7", Show.PINNED, SeenPlace(1764500000.123456, 42))
    assert Asked.of(Fields(asked.address.partition("?")[2])) == asked
    assert Asked().address == "/console/fleet"
    assert Asked().is_everything
    assert not asked.is_everything


def test_a_form_asks_for_texts_that_are_too_long_in_vain() -> None:
    with pytest.raises(PeerError, match="at most 64 characters"):
        Asked.of(Fields(f"q={'x' * 65}"))


def test_shares_are_of_the_family_the_most_first_and_the_rest_is_summed_up() -> None:
    counted = [CountRow("digits", f"v{number}", number, 0, 0) for number in range(1, 8)]
    counted += [CountRow("digits", None, 12, 0, 0), CountRow("mill", "v1", 5, 0, 0)]
    digits, mill = shares_of(counted, {"digits": "v7"})
    assert (digits.family, digits.devices, mill.devices) == ("digits", 40, 5)
    assert [(one.tables, one.devices) for one in digits.versions] == [
        ("none", 12),
        ("v7", 7),
        ("v6", 6),
        ("v5", 5),
        ("v4", 4),
    ]
    assert digits.others == 6
    assert [one.is_assigned for one in digits.versions] == [False, True, False, False, False]
    assert digits.versions[0].share == 0.3


def test_a_row_says_what_a_device_sends_and_whether_it_should() -> None:
    row = row_of(LISTED, NOW)
    assert (row.name, row.runs, row.should_run, row.is_behind) == ("a1", "v1", "v2", True)
    up_to_date = replace(LISTED, row=ROW._replace(last_tables="v2"))
    assert not row_of(up_to_date, NOW).is_behind
