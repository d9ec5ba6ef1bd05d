"""A real Prometheus with our own configuration scrapes a real server, and answers the questions people ask."""

import contextlib
import itertools
import json
import math
import shutil
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from deploy.prometheus.questions import CHAPTERS
from harness.processes import Running, run
from shared.bundle import BaselineFactor, Drift, Histogram, Reference
from shared.jpeg import Stream
from tests.cloud_server.fleet.test_heartbeats import LEAST as HEARTBEAT
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import other_than, review
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.receivers import Receiver, webhooks_file
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.trainings import train
from tests.ports import free_ports
from tests.system.harness import WAIT_SECONDS, SystemHarness
from tests.system_packages import required

FAMILY = "digits"
MEASURED = Reference(
    temperature=1.5,
    drift=Drift(n=100, signals={"confidence": Histogram(edges=(0.5,), shares=(0.5, 0.5))}),
    baseline_factor=BaselineFactor(quality=75, factor=1.25, n=100),
)
QUESTIONS = [one for questions in CHAPTERS.values() for one in questions]
OURS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


def start_prometheus(harness: SystemHarness, port: int) -> Running:
    """Prometheus with deploy/prometheus, scraping this test's server, and more often."""
    configuration = yaml.safe_load((OURS / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(OURS / name) for name in configuration["rule_files"]]
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


def has_data(port: int, query: str) -> bool:
    """Whether a query gives a number, for one series at least.

    Raises:
        urllib.error.HTTPError: it is no PromQL.
    """
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}", timeout=10
    ) as reply:
        result = json.loads(reply.read())["data"]["result"]
    return any(math.isfinite(float(one["value"][1])) for one in result)


def begin(server: ServerHarness, folder: Path) -> tuple[Device, Device]:
    """Two versions, the second of which a rollout leads two devices to."""
    for counter, quality in ((1, 50), (2, 25)):
        write_bundle(folder / f"v{counter}", FAMILY, counter, tables(quality), seed=counter, reference=MEASURED)
        server.publish(folder / f"v{counter}")
        if counter == 1:
            server.assign(FAMILY, 1)
    one, other = server.enrol(FAMILY), server.enrol(FAMILY)
    plan = {"stages": [{"percent": 100, "min_devices": 50, "gates": [{"kind": "bytes"}]}]}
    started = server.client("operator").post("/v1/rollouts", json={"family": FAMILY, "counter": 2, "plan": plan})
    assert started.status_code == 201, started.text
    for device in (one, other):
        device.http.post("/v1/heartbeat", json=HEARTBEAT).raise_for_status()
    return one, other


def work(server: ServerHarness, one: Device, other: Device, seed: int) -> None:
    """What devices do: frames with tables and without, a companion, labels; and what they ought not to do.

    Somebody audits.
    """
    answer = one.post(frame(tables(50), seed)).json()
    companion = {"dw-kind": "probe", "dw-companion-of": str(one.next_sequence - 1)}
    assert one.post(frame(tables(25), seed), headers=companion).status_code == 200
    assert other.post(frame(tables(25), seed)).status_code == 200
    assert other.post(frame(tables(75), seed, Stream.INTERCHANGE)).status_code == 200
    label = answer["label"] if seed % 2 else other_than(answer["label"])
    path = f"/v1/frames/{answer['id']}/label"
    assert one.http.put(path, json={"label": label, "source": "human"}).status_code == 204
    review(server, answer["id"], label, source="audit")  # it counts once the frame is kept, sooner or later
    assert one.post(frame(tables(50), seed)[:-20]).status_code == 422
    assert one.post(b"no JPEG", headers={"authorization": "Bearer nobody"}).status_code == 401


def test_every_question_of_the_page_on_metrics_has_an_answer(tmp_path: Path) -> None:
    required("prometheus")
    # The page asks for what was right since v7; this fleet is young.
    asked = {one.asks: one.query.replace("v([7-9]|[1-9][0-9]+)", "v[0-9]+") for one in QUESTIONS}
    asked |= {one.record: one.record for one in QUESTIONS if one.record}
    system, [port] = SystemHarness(tmp_path), free_ports(1)
    with Receiver(lambda _number: (204, {}, b"")) as receiver:
        endpoints = webhooks_file(tmp_path / "settings", pager=receiver.url)
        running = system.server(webhooks=endpoints, sample_random_rate=1.0, baseline_rate=1.0)
        with running, start_prometheus(system, port) as prometheus:
            prometheus.wait_for(lambda: ask(port, "up") == 1, WAIT_SECONDS, "Prometheus")
            server = ServerHarness(system.data, system.keys, json.loads((system.data / "addresses.json").read_text()))
            with contextlib.closing(server):
                one, other = begin(server, tmp_path)
                run(
                    ("dctwire-server", "backup", "--data", str(system.data), str(tmp_path / "backup")),
                    log=system.log("backup"),
                )
                seeds, give_up = itertools.count(), time.monotonic() + 2 * WAIT_SECONDS
                while asked and time.monotonic() < give_up:
                    work(server, one, other, next(seeds))
                    train(server, FAMILY)
                    asked = {question: query for question, query in asked.items() if not has_data(port, query)}
    assert not asked


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
        assert wire == pytest.approx(row.wire_bytes)
        right = f'(sum(dctwire_feedback_total{{correct="true"}}) or vector(0)) == {row.correct}'
        prometheus.wait_for(lambda: ask(port, right) is not None, WAIT_SECONDS, "the labels in Prometheus")
        assert ask(port, 'sum(dctwire_devices_by_tables{tables="v1"})') == 1
        assert ask(port, 'up{job="dctwire-server"}') == 1
        assert ask(port, 'count(ALERTS{alertstate="firing"})') is None
