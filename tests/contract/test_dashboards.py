"""Grafana's dashboards are what the code says, fit Grafana's own schema, and ask of nothing that there is not."""

import json
import math
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from cloud_server.metrics import Metrics
from deploy.grafana import dashboards
from deploy.grafana.panels import ROW_WIDTH

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
ALERTED = {
    ("fleet", "Scan bytes against the trainer's"): "DctwireBytesRegression",
    ("quality", "Estimate outside of the audit's interval"): "DctwireEstimateAndLabelsPart",
    ("serving", "Age of the last backup"): "DctwireBackupOld",
    ("serving", "Room on the disk"): "DctwireDiskLow",
    ("serving", "Until metadata expire"): "DctwireTimestampsStale",
    ("trainer", "Age of the newest bundle"): "DctwireTrainerStale",
    ("trainer", "Scan bytes against what the trainer measured"): "DctwireBytesRegression",
}
"""Panels, and the alerts that fire when they are red."""
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def panels(file: Path) -> Iterator[dict[str, Any]]:
    """Every panel that shows data."""
    return (panel for panel in read(file)["panels"] if panel["type"] != "row")


def queries(file: Path) -> list[str]:
    return [target["expr"] for panel in panels(file) for target in panel["targets"]]


def test_the_files_are_what_the_code_says() -> None:
    assert not dashboards.stale(), "make dashboards"


def test_there_is_a_dashboard_for_each_question() -> None:
    assert [file.stem for file in FILES] == ["fleet", "quality", "rollouts", "serving", "trainer"]
    assert len({read(file)["uid"] for file in FILES}) == len(FILES)


@every_file
def test_grafanas_own_types_read_a_file_and_write_the_same(file: Path) -> None:
    register_default_plugins()
    known = Dashboard.from_json(read(file))
    assert json.loads(JSONEncoder(sort_keys=True).encode(known)) == read(file)


@every_file
def test_panels_lie_side_by_side_within_the_grid_and_have_numbers_of_their_own(file: Path) -> None:
    everything = read(file)["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    places = [panel["gridPos"] for panel in everything]
    assert all(place["x"] + place["w"] <= ROW_WIDTH and place["w"] * place["h"] > 0 for place in places)
    assert not [(one, other) for one, other in combinations(places, 2) if overlap(one, other)]


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


@every_file
def test_every_row_of_panels_is_filled(file: Path) -> None:
    widths: dict[int, int] = {}
    for panel in read(file)["panels"]:
        place = panel["gridPos"]
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
    assert set(widths.values()) == {ROW_WIDTH}


@every_file
def test_what_variables_are_used_there_are(file: Path) -> None:
    document = read(file)
    there = {variable["name"] for variable in document["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(document["panels"]) + json.dumps(document["templating"])))
    assert used <= there
    assert {"datasource", "docs", "family"} <= used


@every_file
def test_a_panel_says_what_it_shows_in_which_unit_and_where_to_read_on(file: Path) -> None:
    anchors = set(re.findall(r"^### `(\w+)`$", (ROOT / "docs" / "metrics.md").read_text(), re.M))
    for panel in panels(file):
        said, _, link = panel["description"].partition("\n\nRead on: ")
        assert said.endswith(".")
        assert re.fullmatch(r"\[docs/metrics\.md\]\(\$\{docs\}/metrics\.md#(\w+)\)", link)
        assert link.rpartition("#")[2].rstrip(")") in anchors
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


@every_file
def test_a_legend_tells_series_apart(file: Path) -> None:
    """Whatever a query groups by stands in its legend; a query of one series has a word."""
    for panel in panels(file):
        for target in panel["targets"]:
            grouped = re.match(r"(?:1 - |time\(\) - )?(?:sum|max|min) by \(([^)]*)\)", target["expr"])
            for label in grouped.group(1).split(", ") if grouped else ():
                assert f"{{{{{label}}}}}" in target["legendFormat"], panel["title"]
            assert target["legendFormat"]


@every_file
def test_queries_ask_of_metrics_and_rules_that_there_are(file: Path) -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "recording.yml").read_text())["groups"]
    there = {one.name for one in Metrics().described()} | {rule["record"] for group in rules for rule in group["rules"]}
    asked = {name for query in queries(file) for name in re.findall(r"[a-z_]*:?dctwire[a-z_0-9:]*", query)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= there


@pytest.mark.parametrize(("dashboard", "title"), ALERTED)
def test_a_red_line_stands_where_the_alert_does(dashboard: str, title: str) -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    alerts = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    [panel] = [one for one in panels(GRAFANA / "dashboards" / f"{dashboard}.json") if one["title"] == title]
    line = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"]
    compared = re.search(r"[<>] ([0-9.]+(?: \* [0-9.]+)*)", alerts[ALERTED[dashboard, title]])
    assert compared is not None
    assert line == math.prod(map(float, compared.group(1).split(" * ")))


def test_grafana_is_given_the_dashboards_and_a_prometheus_to_ask() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    grafana, mounted = services["grafana"], {}
    for volume in services["grafana"]["volumes"]:
        source, _, target = volume.removesuffix(":ro").partition(":")
        mounted[target] = source
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/dctwire.yml").read_text())["providers"]
    assert mounted[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "${PROMETHEUS_URL}"
    assert grafana["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert "prometheus" in grafana["depends_on"]
    assert all(port.startswith("127.0.0.1:") for port in grafana["ports"])
