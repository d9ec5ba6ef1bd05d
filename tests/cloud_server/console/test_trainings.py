"""Trainings in the console over real HTTP: asked for by a button, read gate by gate, cancelled."""

from html import unescape

from cloud_server.operators.roles import Role
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.trainings import REFUSED, refuse, take


def cancel_open(site: ServerHarness) -> None:
    """Whatever another test left open ends."""
    operator = site.client("operator")
    for run in operator.get("/v1/runs").json()["runs"]:
        if run["state"] != "ended":
            operator.post(f"/v1/runs/{run['id']}/cancel", json={})


def test_an_operator_asks_for_a_training_and_cancels_it(site: ServerHarness, admin: ConsoleClient) -> None:
    cancel_open(site)
    page = unescape(admin.done("/training/ask", {"family": FAMILY, "reason": "new <lamps>"}, "/training"))
    assert f"{FAMILY} is trained anew as soon as a trainer takes it" in page
    assert "new <lamps>" in page and "waits for a trainer" in page
    [run, *_] = site.client("operator").get("/v1/runs").json()["runs"]
    twice = unescape(admin.done("/training/ask", {"family": FAMILY}, "/training"))
    assert f"waits or is under way already ({run['id']}, queued)" in twice
    assert take(site, FAMILY) == run["id"]
    cancelled = unescape(admin.done(f"/training/{run['id']}/cancel", {}, f"/training/{run['id']}"))
    assert "The training is cancelled." in cancelled and "An operator ended it." in cancelled
    entries = site.client("operator").get("/v1/audit", params={"limit": 3}).json()["entries"]
    assert [entry["action"] for entry in entries] == ["run.cancel", "run.take", "run.ask"]


def test_a_training_that_was_refused_says_gate_by_gate_why(site: ServerHarness, admin: ConsoleClient) -> None:
    cancel_open(site)
    run = take(site, FAMILY)
    assert "trainer-1 trains" in unescape(admin.get(f"/training/{run}"))
    refuse(site, run)
    page = unescape(admin.get(f"/training/{run}"))
    for said in ("It has lost the class seven.", "refuses", "holds", "50.00 % to 87.50 %", str(REFUSED["reason"])):
        assert said in page
    assert "Cancel it" not in page
    listed = unescape(admin.get(f"/training?family={FAMILY}"))
    assert run in listed and "refused by its gates" in listed
    assert run not in admin.get("/training?family=birds")
    admin.get("/training/nothing", 404)
    admin.get("/training/aaaaaaaa", 404)


def test_who_only_looks_is_offered_nothing_to_do(site: ServerHarness, admin: ConsoleClient) -> None:
    cancel_open(site)
    run = take(site, FAMILY)
    vera = logged_in(site, "vera", Role.VIEWER)
    assert "Retrain now" not in vera.get("/training")
    assert "Cancel" not in vera.get(f"/training/{run}")
    assert vera.post("/training/ask", {"family": FAMILY}).status_code == 403
    assert vera.post(f"/training/{run}/cancel").status_code == 403
    assert "Retrain now" in admin.get("/training")
