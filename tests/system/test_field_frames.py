"""The whole circle: what devices sent and people labelled trains the next bundle, which the same server then serves."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shared.bundle import Bundle
from shared.jpeg import Encoder
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.feedback import KEEP_ALL, kept, review
from tests.cloud_server.harness.frames import picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

PROGRAMS = Path(sys.executable).parent
FRAMES = 80
SHADES = np.array([[120, 0, 0], [0, 120, 0], [0, 0, 120], [120, 120, 0], [0, 120, 120]], np.uint8)  # a label each
RECIPE = """
[data]
name = "folder"
path = "field"
size = 32
validation = 16
flip = true
[net]
widths = [16, 24]
[optimiser]
epochs = 24
batch = 16
learning_rate = 0.02
[tables]
rate_frames = 64
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server that keeps every frame, with a first bundle."""
    with server_in_thread(tmp_path / "server", **KEEP_ALL) as harness:
        write_bundle(tmp_path / "v1", "digits", 1, tables(75))
        harness.publish(tmp_path / "v1")
        yield harness


def shaded(seed: int) -> npt.NDArray[np.uint8]:
    """A picture whose colour says its label."""
    return np.asarray(picture(seed) // 2 + SHADES[seed % len(SHADES)], np.uint8)


def label_of(seed: int) -> str:
    return LABELS[seed % len(LABELS)]


def run(folder: Path, harness: ServerHarness, program: str, *words: str) -> str:
    """One of our programs as an operator or trainer types it; what it prints."""
    environment = os.environ | {
        **harness.as_operator,
        "DCTWIRE_CACHE": str(folder / "cache"),
    }
    command = [str(PROGRAMS / program), *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_labelled_frames_of_the_field_become_the_next_bundle(harness: ServerHarness, tmp_path: Path) -> None:
    device, encoder = harness.enrol("digits"), Encoder(tables(75))
    ids = [device.post(encoder.encode(shaded(seed))).json()["id"] for seed in range(FRAMES)]
    for seed, frame_id in enumerate(ids):
        kept(harness, frame_id)
        review(harness, frame_id, label_of(seed))
    exported = json.loads(run(tmp_path, harness, "dctwire", "samples", "export", "digits", "field", "--json"))
    assert (exported["frames"], exported["classes"]) == (FRAMES, len(LABELS))

    (tmp_path / "field.toml").write_text(RECIPE)
    train = ("train", "field.toml", "--tables", "standard", "--quality", "60", "--out", "run")
    run(tmp_path, harness, "dctwire-trainer", *train, "--data-dir", ".")
    export = ("export", "run", "--family", "digits", "--counter", "2", "--out", "v2")
    run(tmp_path, harness, "dctwire-trainer", *export, "--data-dir", ".")

    harness.publish(tmp_path / "v2")
    camera = Bundle.from_bytes((tmp_path / "v2" / "bundle.json").read_bytes()).encoding.encoder()
    unseen = range(1000, 1020)
    answers = [device.post(camera.encode(shaded(seed))).json() for seed in unseen]
    assert {answer["model"] for answer in answers} == {"digits/2"}
    right = [answer["label"] == label_of(seed) for seed, answer in zip(unseen, answers, strict=True)]
    assert sum(right) >= 18
