"""A real Prometheus with our own configuration scrapes a real server, and answers the questions people ask."""

import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from harness.processes import Running
from tests.cloud_server.harness.ports import free_ports
from tests.system.harness import WAIT_SECONDS, SystemHarness
from tests.system_packages import required

OURS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


def start_prometheus(harness: SystemHarness, port: int) -> Running:
    """Prometheus with deploy/prometheus, scraping this test's server, and more often."""
    configuration = yaml.safe_load((OURS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(OURS / "alerts.yml")]
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{harness.ops_port}"]}]
    file = harness.folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    options = (f"--config.file={file}", f"--storage.tsdb.path={harness.folder}/tsdb")
    return Running(
        (str(shutil.which("prometheus")), *options, f"--web.listen-address=127.0.0.1:{port}"), harness.log("prometheus")
    )


def ask(port: int, query: str) -> float | None:
    """The value of an instant query, None while there is none."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}", timeout=5
        ) as reply:
            result = json.loads(reply.read())["data"]["result"]
    except OSError:
        return None
    return float(result[0]["value"][1]) if result else None


def test_prometheus_tells_bytes_accuracy_and_versions(tmp_path: Path) -> None:
    required("prometheus")
    harness = SystemHarness(tmp_path)
    harness.draw_pictures(40)
    [port] = free_ports(1)
    with harness.server(), start_prometheus(harness, port) as prometheus:
        harness.publish(1, quality=50)
        with harness.camera(harness.enrol("camera"), "--count", "80", "--exit-when-drained") as camera:
            camera.wait(WAIT_SECONDS)
        counted = prometheus.wait_for(
            lambda: ask(port, 'sum(dctwire_frames_total{tables="v1"}) == 80'), WAIT_SECONDS, "80 frames in Prometheus"
        )
        assert counted == 80
        row = harness.measured("v1")
        wire = ask(port, 'sum(dctwire_payload_bytes_total{tables="v1"}) / sum(dctwire_frames_total{tables="v1"})')
        right = ask(port, 'sum(dctwire_feedback_total{correct="true"}) or vector(0)')
        assert wire == pytest.approx(row.wire_bytes)
        assert right == row.correct
        assert ask(port, 'sum(dctwire_devices_by_tables{tables="v1"})') == 1
        assert ask(port, 'up{job="dctwire-server"}') == 1
        assert ask(port, "count(ALERTS)") is None
