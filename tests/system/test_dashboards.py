"""Every panel of every dashboard shows data: its queries run on a real Prometheus that scrapes a server at work."""

import contextlib
import json
import math
import re
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.dashboards import FOLDER
from harness.processes import Running, run
from shared.jpeg import Stream
from tests.cloud_server.fleet.test_heartbeats import LEAST
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import kept, other_than, review
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.receivers import Receiver, webhooks_file
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.trainings import train
from tests.ports import free_ports
from tests.system.harness import WAIT_SECONDS, SystemHarness
from tests.system.test_prometheus import MEASURED
from tests.system_packages import required

OURS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
CHOSEN = {"family": "(digits|other)", "tables": "(v1|v2|interchange|none)"}
"""What a reader may have chosen, as Grafana puts several values in."""
SECONDS = 400.0
WATCHED = 24
"""So many frames are posted together each time, all watched for drift, and audited once they are kept: some hundreds
until there is a score, and a hundred until the estimate is held against them."""
AUDITED = 6
"""In so many rounds all of them are audited: before what may be kept in an hour is full."""
SETTINGS = {
    "sample_random_rate": 1.0,
    "sample_hourly_max": 400,
    "baseline_rate": 1.0,
    "drift_frames_per_second": 1e6,
    "drift_device_seconds": 0,
}
PLAN = {
    "stages": [
        {"percent": 100, "min_devices": 50, "deadline_seconds": 5, "looks": 5, "gates": [{"kind": "bytes"}]},
    ]
}


def panels() -> Iterator[tuple[str, str]]:
    """Each query of each panel, with what a reader chose, and what it is called."""
    for file in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", ()):
                query = re.sub(r"\$(family|tables)", lambda found: CHOSEN[found.group(1)], target["expr"])
                yield f"{file.stem}: {panel['title']} ({target['legendFormat']})", query


class Prometheus:
    """One that runs with our own configuration and rules, and looks every second.

    Args:
        port: where it answers.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    @classmethod
    @contextmanager
    def watching(cls, folder: Path, ops: str) -> Iterator["Prometheus"]:
        """Watch a server's ops plane."""
        [port] = free_ports(1)
        configuration = yaml.safe_load((OURS / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        configuration["rule_files"] = [str(OURS / "recording.yml")]
        configuration["scrape_configs"][0]["static_configs"] = [{"targets": [ops.removeprefix("http://")]}]
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration))
        options = (f"--config.file={file}", f"--storage.tsdb.path={folder}/tsdb")
        command = (str(shutil.which("prometheus")), *options, f"--web.listen-address=127.0.0.1:{port}")
        with Running(command, folder / "prometheus.log") as running:
            running.wait_for(lambda: _is_ready(port), WAIT_SECONDS, "Prometheus")
            yield cls(port)

    def has(self, query: str) -> bool:
        """Whether a query gives a number, at least for one series.

        Raises:
            urllib.error.HTTPError: it is no PromQL.
        """
        url = f"http://127.0.0.1:{self._port}/api/v1/query?query={urllib.parse.quote(query)}"
        with urllib.request.urlopen(url, timeout=10) as reply:
            series: list[dict[str, Any]] = json.loads(reply.read())["data"]["result"]
        return any(math.isfinite(float(one["value"][1])) for one in series)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def begin(server: ServerHarness, folder: Path) -> tuple[Device, Device]:
    """Two versions, of which the second is on its way to two devices; a third one is pinned to the first."""
    for counter, quality in ((1, 50), (2, 25)):
        write_bundle(folder / f"v{counter}", "digits", counter, tables(quality), seed=counter, reference=MEASURED)
        server.publish(folder / f"v{counter}")
        if counter == 1:
            server.assign("digits", 1)
    one, other, pinned = (server.enrol("digits") for _ in range(3))
    operator = server.client("operator")
    assert operator.put(f"/v1/devices/{pinned.device_id}/pin", json={"counter": 1}).status_code == 200
    wanted = {"family": "digits", "counter": 2, "plan": PLAN}
    assert operator.post("/v1/rollouts", json=wanted).status_code == 201
    for device, more in ((one, {}), (other, {"trial": {"target": "digits/2.json", "boots": 1, "proofs": 1}})):
        assert device.http.post("/v1/heartbeat", json=LEAST | more).status_code in (200, 204)
    return one, other


def watched(one: Device, seed: int) -> list[dict[str, Any]]:
    """A device posts frames together; what it is answered."""
    batch = batch_with_scans(50, range(seed * WATCHED, (seed + 1) * WATCHED), one.next_sequence)
    one.next_sequence += WATCHED
    headers = {"content-type": "application/vnd.dctwire.batch"}
    reply = one.http.post("/v1/frames:batch", content=batch.to_bytes(), headers=headers)
    assert reply.status_code == 200, reply.text
    answers: list[dict[str, Any]] = reply.json()["results"]
    return answers


def work(one: Device, other: Device, seed: int) -> None:
    """What devices do: frames with tables and without, a companion, labels; and what they ought not to do."""
    answer = one.post(frame(tables(50), seed)).json()
    companion = {"dw-kind": "probe", "dw-companion-of": str(one.next_sequence - 1)}
    assert one.post(frame(tables(25), seed), headers=companion).status_code == 200
    assert other.post(frame(tables(25), seed)).status_code == 200
    assert other.post(frame(tables(75), seed, Stream.INTERCHANGE)).status_code == 200
    label = answer["label"] if seed % 2 else other_than(answer["label"])
    path = f"/v1/frames/{answer['id']}/label"
    assert one.http.put(path, json={"label": label, "source": "human"}).status_code == 204
    assert one.post(frame(tables(50), seed)[:-20]).status_code == 422
    assert one.post(b"no JPEG", headers={"authorization": "Bearer nobody"}).status_code == 401


@pytest.mark.timeout(500)
def test_every_panel_shows_data_of_a_server_at_work(tmp_path: Path) -> None:
    required("prometheus")
    missing, seed, give_up = dict(panels()), 0, time.monotonic() + SECONDS
    with Receiver(lambda number: (500 if number == 0 else 204, {}, b"")) as receiver:
        file = webhooks_file(tmp_path / "settings", pager=receiver.url)
        system = SystemHarness(tmp_path)
        with (
            system.server(webhooks=file, **SETTINGS),
            Prometheus.watching(tmp_path, system.ops) as prometheus,
        ):
            addresses = json.loads((system.data / "addresses.json").read_text())
            server = ServerHarness(system.data, system.keys, addresses)
            with contextlib.closing(server):
                one, other = begin(server, tmp_path)
                backup = ("dctwire-server", "backup", "--data", str(system.data), str(tmp_path / "backup"))
                run(backup, log=system.log("backup"))
                while missing and time.monotonic() < give_up:
                    work(one, other, seed := seed + 1)
                    train(server, "digits")
                    if seed <= AUDITED:
                        for answer in watched(one, seed):
                            kept(server, answer["id"])  # a label counts as audit only once the frame is kept
                            review(server, answer["id"], answer["label"], source="audit")
                    else:
                        watched(one, seed)
                    missing = {panel: query for panel, query in missing.items() if not prometheus.has(query)}
    assert not missing
