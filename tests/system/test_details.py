"""Details from a camera to the trainer's folder, and out of it again: real programs, settings from afar, an export."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness import commands
from harness.processes import Running, run
from shared.jpeg import Decoder, Encoder, Stream, TableSet, inspect
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.feedback import KEEP_ALL
from tests.cloud_server.harness.frames import picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

FAMILY = "digits"
LABELS = ("one", "two")
PICTURES = 40
WAIT_SECONDS = 120.0
QUALITY = 85
ALLOWED = ("--remote-details-max", "1", "--details-hour", str(10**10))


def test_a_camera_sends_the_details_that_are_asked_for_and_an_export_follows_what_becomes_of_it(
    tmp_path: Path,
) -> None:
    write_bundle(tmp_path / "v1", FAMILY, 1, tables(50))
    with server_in_thread(tmp_path / "server", **KEEP_ALL) as harness:
        harness.publish(tmp_path / "v1")
        harness.assign(FAMILY, 1)
        asked_for = ("settings", "set", FAMILY, "--details", "1", "--details-quality", str(QUALITY))
        typed(harness, *asked_for, "--keys", harness.keys)
        with camera(harness, tmp_path) as running:
            running.wait_for(lambda: len(details(harness)) >= 25, WAIT_SECONDS, "details with labels")

        done = exported(harness, tmp_path / "out")
        assert done["frames"] > 0 and done["splits"]["details"] > 0
        assert done["left_out"]["measured"] > 0, "those of frames in test"
        rows = manifest(tmp_path / "out")
        beside = [row for row in rows.values() if row["kind"] == "detail"]
        assert {row["quality"] for row in beside} == {QUALITY}
        for row in beside:
            assert is_of_a_picture(tmp_path / "out" / row["file"])
            of = rows.get(row["of"])
            assert of is None or (of["label"], of["file"].startswith("train/")) == (row["label"], True)
        assert any(row["of"] in rows for row in beside)

        [device] = {row["frame_id"].partition(".")[0] for row in rows.values()}
        operator = harness.client("operator")
        operator.put(f"/v1/devices/{device}/quarantine", json={"reason": "odd labels"})
        held = exported(harness, tmp_path / "out")
        assert held["frames"] == held["splits"]["details"] == 0
        assert held["left_out"]["quarantined"] >= len(rows)
        assert pictures(tmp_path / "out") == []
        operator.delete(f"/v1/devices/{device}/quarantine")
        back = exported(harness, tmp_path / "out")
        assert rows.keys() <= manifest(tmp_path / "out").keys() and back["left_out"]["quarantined"] == 0
        assert operator.delete(f"/v1/devices/{device}").status_code == 202
        gone = exported(harness, tmp_path / "out")
        assert gone["frames"] == 0 and gone["left_out"]["forgotten"] >= len(rows)
        assert pictures(tmp_path / "out") == [] and manifest(tmp_path / "out") == {}


def camera(harness: ServerHarness, folder: Path) -> Running:
    """The real program; the folders of its pictures are their labels."""
    for index in range(PICTURES):
        place = folder / "pictures" / LABELS[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(index)).save(place / f"{index:05}.png")
    claim = harness.client("operator").post("/v1/claims", json={"family": FAMILY}).json()
    state, log = folder / "camera", folder / "camera.log"
    run(commands.enrol(harness.addresses["device"], claim["claim_code"], state, harness.keys / "root.json"), log=log)
    return Running((*commands.camera(state, folder / "pictures", batch=1, rate=10), *ALLOWED), log)


def details(harness: ServerHarness) -> list[dict[str, Any]]:
    """The details that the server has kept, and whose frames have labels."""
    wanted: dict[str, str | int] = {"family": FAMILY, "detail": "true", "labelled": "true", "limit": 500}
    found: list[dict[str, Any]] = harness.client("operator").get("/v1/samples", params=wanted).json()["samples"]
    return found


def typed(harness: ServerHarness, *words: str | Path) -> Any:
    """What `dctwire WORDS --json` prints."""
    log = harness.data / "operator.log"
    return json.loads(run(("dctwire", *map(str, words), "--json"), log=log, env=harness.as_operator))


def exported(harness: ServerHarness, folder: Path) -> dict[str, Any]:
    """What came of an export with details."""
    done: dict[str, Any] = typed(harness, "samples", "export", FAMILY, folder, "--details")
    return done


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """The rows of an export, by frame id."""
    return {row["frame_id"]: row for row in json.loads((folder / "manifest.json").read_bytes())["frames"]}


def pictures(folder: Path) -> list[Path]:
    """Every picture of an export."""
    return list(folder.rglob("*.jpg"))


def is_of_a_picture(file: Path) -> bool:
    """Whether a detail is one of the camera's pictures, whole, at the reference quality."""
    ordinary = TableSet.standard(QUALITY)
    assert inspect(file.read_bytes()).quant == ordinary.quant
    found = Decoder().decode(file.read_bytes())
    sent = (Encoder(ordinary).encode(np.asarray(picture(index)), Stream.INTERCHANGE) for index in range(PICTURES))
    return any(found == Decoder().decode(each) for each in sent)
