"""A rollout that is judged by pictures under both bundles: the trainer's figure, cameras that make pairs, two gates."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import func, select

from cloud_server.storage.schema import results
from harness import commands
from harness.processes import Running, run
from shared.bundle import Disagreement, Reference
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import expected_label
from tests.cloud_server.harness.feedback import put_label
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.rollout.simulated import FAMILY, Camera, Fleet, Operator
from trainer.data import Split
from trainer.export.predecessor import Predecessor

OLD, NEW = tables(50), tables(25)
SAME_CLASSIFIER, ANOTHER_CLASSIFIER = 1, 3
HELD_OUT = range(5000, 5512)
DEVICES = 14
"""Beside the camera: a gate believes no handful of them, under neither bundle."""
GATES = [{"kind": kind, "limit": 0.1, "detects": 0.6} for kind in ("probes", "labelled-pairs")]
STAGE = {
    "percent": 100,
    "min_devices": DEVICES,
    "max_fail_rate": 0.5,
    "looks": 40,
    "deadline_seconds": 200,
    "gates": GATES,
}
WAIT_SECONDS = 150.0


def test_pairs_of_a_bundle_that_differs_as_its_trainer_measured_let_the_rollout_complete(tmp_path: Path) -> None:
    with rollout_of(tmp_path, SAME_CLASSIFIER) as (operator, rollout, go_on):
        wait_until(go_on("complete"), WAIT_SECONDS)
        probes, labelled = last_verdicts(operator, rollout)
    assert (probes["opinion"], labelled["opinion"]) == ("pass", "pass")
    assert probes["devices"] == labelled["devices"] == DEVICES + 1, "the camera's pairs count like the devices'"
    assert probes["words"].startswith("disagreement beyond what the trainer measured ")
    assert abs(probes["estimate"]) < 0.1


def test_a_bundle_that_differs_far_more_than_its_trainer_measured_fails_and_is_taken_back(tmp_path: Path) -> None:
    with rollout_of(tmp_path, ANOTHER_CLASSIFIER) as (operator, rollout, go_on):
        wait_until(go_on("rolled-back"), WAIT_SECONDS)
        probes, _ = last_verdicts(operator, rollout)
        status = json.loads(run(commands.camera_status(tmp_path / "camera"), log=tmp_path / "status.log"))
    assert (probes["opinion"], probes["devices"]) == ("fail", DEVICES + 1)
    assert probes["lower"] > 0.1
    assert status["active_bundle"] == f"{FAMILY}/1", "the camera went back like the devices"


@contextmanager
def rollout_of(folder: Path, classifier: int) -> Iterator[tuple[Operator, str, Callable[[str], Callable[[], bool]]]]:
    """A fleet and a real camera, led to a bundle with this classifier and the figure of the one that was measured."""
    write_bundle(folder / "v1", FAMILY, 1, OLD, seed=SAME_CLASSIFIER)
    reference = Reference(disagreement=measured(folder / "v1"))
    write_bundle(folder / "v2", FAMILY, 2, NEW, seed=classifier, reference=reference)
    with server_in_thread(folder) as harness:
        harness.publish(folder / "v1")
        harness.assign(FAMILY, 1)
        fleet = Fleet.of(harness, {1: OLD, 2: NEW}, DEVICES)
        fleet.post()
        with camera(harness, folder) as running:
            running.wait_for(lambda: frames_of(harness, "v1") > DEVICES, WAIT_SECONDS, "frames of the camera")
            harness.publish(folder / "v2")
            operator = Operator(harness.client("operator"))
            rollout = operator.start(2, [STAGE])["id"]
            running.wait_for(lambda: probes_of(harness) > 0, WAIT_SECONDS, "a pair of the camera")

            def go_on(state: str) -> Callable[[], bool]:
                def is_there() -> bool:
                    for number, device in enumerate(fleet.cameras):
                        send_pair(device, 1000 * number + device.device.next_sequence)
                    seen = operator.look(rollout)
                    assert seen["state"] != "paused", seen
                    return bool(seen["state"] == state)

                return is_there

            yield operator, rollout, go_on


def measured(old: Path) -> Disagreement:
    """What the trainer measures between the old bundle and the same classifier under the new tables."""
    pixels = np.stack([picture(seed) for seed in HELD_OUT])
    answers = np.array([expected_label(SAME_CLASSIFIER, NEW, each) for each in pixels])
    found = Predecessor.read(old).disagreement(Split(pixels, np.zeros(len(pixels), np.int64)), answers)
    assert 0 < found.share < 0.2
    return found


@contextmanager
def camera(harness: ServerHarness, folder: Path) -> Iterator[Running]:
    """The real program, with probes; its pictures are labelled with what their folders are called."""
    for index in range(400):
        shown, label = picture(index), expected_label(SAME_CLASSIFIER, OLD, picture(index))
        (folder / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(shown).save(folder / "pictures" / label / f"{index:05}.png")
    claim = harness.client("operator").post("/v1/claims", json={"family": FAMILY}).json()
    state, log = folder / "camera", folder / "camera.log"
    address = harness.addresses["device"]
    run(commands.enrol(address, claim["claim_code"], state, harness.keys / "root.json"), log=log)
    command = commands.camera(state, folder / "pictures", batch=1, rate=60)
    with Running((*command, "--probes"), log) as running:
        yield running


def send_pair(device: Camera, seed: int) -> None:
    """A frame of the bundle that the device runs; of the new one with its probe, labelled as one of the two says."""
    device.look()
    sequence = device.device.next_sequence
    running = device.running or 1
    answers = [device.device.post(frame({1: OLD, 2: NEW}[running], seed))]
    if running == 2:
        headers = {"dw-kind": "probe", "dw-companion-of": str(sequence)}
        answers.append(device.device.post(frame(OLD, seed), headers=headers))
        put_label(device.device, answers[0].json()["id"], answers[seed % 2].json()["label"])
    assert {answer.status_code for answer in answers} == {200}


def frames_of(harness: ServerHarness, name: str) -> float:
    found = harness.scrape().samples
    return sum(
        value
        for (metric, labels), value in found.items()
        if metric == "dctwire_frames_total" and ("tables", name) in labels
    )


def probes_of(harness: ServerHarness) -> int:
    with harness.database() as database:
        return database.execute(select(func.count()).where(results.c.kind == "probe")).scalar_one()


def last_verdicts(operator: Operator, rollout: str) -> list[dict[str, Any]]:
    """What the two gates said at the last look, `probes` first."""
    verdicts = operator.look(rollout)["verdicts"]
    last = {verdict["gate"]: verdict for verdict in verdicts}
    return [last["probes"], last["labelled-pairs"]]
