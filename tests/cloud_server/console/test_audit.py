"""The audit page: paged, filtered, and honest about whether the record is whole."""

import re
from collections.abc import Sequence

from cloud_server.console.audit import PAGE_ROWS, facts_of, page_of
from cloud_server.operators.chain import BEGINNING, Entry, hash_of
from cloud_server.operators.roles import Role
from cloud_server.storage.audit_row import Head
from cloud_server.storage.rows.audit import AuditFilter
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.server import ServerHarness


def entries(count: int) -> Sequence[Entry]:
    """Rows of a chain, the newest first."""
    made: list[Entry] = []
    previous = BEGINNING.hash
    for seq in range(1, count + 1):
        entry = Entry(
            seq=seq, at_ms=seq, operator="ada", role="admin", address="::1", request_id="r", action="device.tag",
            subject="d", before={"tags": "a"}, after={"tags": "b", "is_new": True}, previous=previous, hash="",
        )  # fmt: skip
        made.append(entry.model_copy(update={"hash": hash_of(entry.row())}))
        previous = made[-1].hash
    return made[::-1]


def test_the_first_page_leads_to_older_changes_only() -> None:
    page = page_of(entries(PAGE_ROWS + 1), Head(PAGE_ROWS + 1, "x"), "", AuditFilter(subject="d & e"))
    assert len(page.changes) == PAGE_ROWS
    assert page.newer == ""
    assert page.older == "/console/audit?subject=d+%26+e&before=2"


def test_a_page_in_the_middle_leads_both_ways_and_keeps_the_newest_on_top() -> None:
    forwards = entries(PAGE_ROWS + 1)[::-1]
    page = page_of(forwards, Head(99, "x"), "", AuditFilter(after=0))
    assert [page.changes[0].entry.seq, page.changes[-1].entry.seq] == [PAGE_ROWS, 1]
    assert page.newer.endswith(f"after={PAGE_ROWS}")
    assert page.older.endswith("before=1")


def test_a_row_that_was_altered_is_marked() -> None:
    good, bad = entries(2)
    page = page_of([good, bad.model_copy(update={"operator": "eve"})], Head(2, "x"), "", AuditFilter())
    assert [change.is_as_written for change in page.changes] == [True, False]


def test_only_what_has_changed_is_told() -> None:
    entry = entries(1)[0].model_copy(
        update={"before": {"role": "viewer", "is_disabled": False, "id": "x"}, "after": {"role": "admin", "id": "x"}}
    )
    assert facts_of(entry) == [("role", "viewer → admin"), ("is disabled", "was no")]


def test_the_page_shows_the_login_itself_and_finds_by_action(site: ServerHarness, admin: ConsoleClient) -> None:
    found = admin.get("/audit?action=session.begin")
    assert "by: code" in found
    assert "As far as this server has looked" in found


def test_an_action_that_ends_in_a_full_stop_finds_all_that_begin_with_it(
    site: ServerHarness, admin: ConsoleClient
) -> None:
    assert "session.begin" in admin.get("/audit?action=session.")
    for word in ("sess", "session.beg", "_ession."):
        assert "No change fits." in admin.get(f"/audit?action={word}")
    assert "No change fits." in admin.get("/audit?action=nothing")


def test_whoever_may_not_read_the_record_is_told_which_role_it_takes(site: ServerHarness) -> None:
    viewer = logged_in(site, "vera", Role.VIEWER)
    assert "needs the role operator" in viewer.get("/audit", 403)
    assert "/console/audit" not in viewer.get("/")


def test_markup_in_a_subject_stays_text(site: ServerHarness, admin: ConsoleClient) -> None:
    page = admin.get("/audit?subject=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in page
    assert re.search(r"&lt;script&gt;alert", page)
