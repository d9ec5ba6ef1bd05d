"""Prometheus's own tools accept our configuration, and every alert fires when it should, and not when it should not."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_server.registry.expiry import TOLD_BEFORE_SECONDS
from tests.system_packages import required

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
QUICK = ("alerts_test.yml", "alerts_days_test.yml", "alerts_objectives_test.yml", "alerts_quality_test.yml")
SLOW = "alerts_upkeep_test.yml"
"""Days of scrapes, of which Prometheus makes a minute."""


def promtool(*arguments: str) -> str:
    required("promtool")
    run = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def loaded(file: str) -> Any:
    return yaml.safe_load((FOLDER / file).read_text())


def alerts() -> dict[str, dict[str, str]]:
    """The annotations of every alert, by its name."""
    rules = [rule for group in loaded("alerts.yml")["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule["annotations"] for rule in rules}


def checks() -> set[tuple[str, bool]]:
    """Of which alerts it is tested that they fire, and of which that they do not."""
    tests = [test for file in (*QUICK, SLOW) for test in loaded(file)["tests"]]
    looks = [look for test in tests for look in test.get("alert_rule_test", ())]
    return {(look["alertname"], bool(look["exp_alerts"])) for look in looks}


def test_the_configuration_is_valid() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_the_alerts_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", *QUICK)


@pytest.mark.system
def test_alerts_that_take_days_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", SLOW)


def test_the_rules_record_what_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", "recording_test.yml")


def test_every_rule_that_records_something_is_tested() -> None:
    records = [rule["record"] for group in loaded("recording.yml")["groups"] for rule in group["rules"]]
    tested = " ".join(
        look["expr"] for test in loaded("recording_test.yml")["tests"] for look in test["promql_expr_test"]
    )
    assert not [name for name in records if not re.search(rf"{name}\b", tested)]


def test_of_every_alert_it_is_tested_that_it_fires_and_that_it_does_not() -> None:
    assert checks() == {(name, fires) for name in alerts() for fires in (True, False)}


def test_webhooks_tell_of_metadata_that_expire_when_the_alerts_fire() -> None:
    text = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text()
    limits = re.findall(r'expiry_timestamp_seconds\{role="(\w+)"\} - time\(\) < (\d+) \* (\d+)', text)
    assert {role: int(count) * int(seconds) for role, count, seconds in limits} == TOLD_BEFORE_SECONDS
    assert len(limits) == len(TOLD_BEFORE_SECONDS)


def test_every_alert_leads_to_its_own_entry_of_the_runbook_and_no_entry_is_left_over() -> None:
    entries = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.M)
    assert sorted(entries) == sorted(alerts())
    for name, annotations in alerts().items():
        assert annotations["runbook_url"] == f"docs/runbook.md#{name.lower()}"


def test_every_entry_says_where_to_look_what_to_do_and_when_it_is_harmless() -> None:
    _, *entries = re.split(r"^### ", (ROOT / "docs" / "runbook.md").read_text(), flags=re.M)
    for entry in entries:
        means, *points = entry.split("\n- **")
        assert [point.split(":**")[0] for point in points] == ["Look here first", "Do", "Harmless when"], means
        assert len(means.splitlines()) > 1, means
