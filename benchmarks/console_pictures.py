"""The pictures of the console in the docs: a real server, a fleet at work and a rollout under way, seen by a browser.

    make demo && python -m benchmarks.console_pictures --bundles demo-run --out docs/images

The frames are pictures of the data set `synthetic`, made by the encoders of two bundles of the demo's family, as `make
demo` trains them, and answered by their classifiers. What is not of this minute is the history: sums of the last two
weeks are written as the server writes them, scaled from what this run sends by day and hour, and as many answers are
right as the estimate says, but for chance. Nothing that is shown is a measurement of ours.
"""

import argparse
import io
import random
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import insert, select

from cloud_server.storage.metadata import metadata
from harness import commands
from harness.processes import run
from shared.bundle import Bundle
from shared.jpeg import Encoder, Sampling, Stream, TableSet
from tests.cloud_server.harness.browser import WIDE, Browser, chromium
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import once, wait_until

FAMILY = commands.FAMILY
PICTURES, CAMERAS, HISTORY_DAYS = 600, 40, 13
SITES = ("north-gate", "south-gate", "car-park", "loading-bay", "lobby")
MOST_BYTES, MOST_HEIGHT = 150_000, 1150
PATIENCE_SECONDS, VERDICTS = 120.0, 6
COLOURS = (256, 128, 64, 32)
KEEP: dict[str, Any] = {
    "sample_random_rate": 0.05,
    "sample_confidence_below": 0.5,
    "sample_hourly_max": 200,
    "quota_frames_per_second": 200.0,
    "quota_burst_frames": 2000,
}
PLAN = {
    "stages": [
        {"percent": 30, "min_devices": 1, "min_frames": 5},
        {
            "percent": 60,
            "min_devices": 10_000,
            "min_frames": 100,
            "looks": 40,
            "deadline_seconds": 400,
            "gates": [{"kind": "bytes"}, {"kind": "fallback"}, {"kind": "refusals"}],
        },
        {"percent": 100, "min_devices": 30},
    ],
    "soak_seconds": 86_400,
}
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shot:
    """A picture of the docs: its name, and the page."""

    name: str
    path: str


class Fleet:
    """Cameras that post what they are told to post, each picture encoded by the bundle that it runs.

    Args:
        drawn: pictures, uint8 (n, side, side, 3), and what each shows.
    """

    def __init__(
        self,
        server: ServerHarness,
        encoders: dict[int, Encoder],
        drawn: Pixels,
        labels: Sequence[str],
        chance: random.Random,
    ) -> None:
        self._server = server
        self._encoders = encoders
        self._drawn = drawn
        self._labels = labels
        self._chance = chance
        self.devices = [server.enrol(FAMILY) for _ in range(CAMERAS)]
        self.truth: dict[str, str] = {}

    def name_all(self) -> None:
        """Names and tags, as an operator would give them."""
        operator = self._server.client("operator")
        for number, device in enumerate(self.devices):
            site = SITES[number % len(SITES)]
            here = f"/v1/devices/{device.device_id}"
            operator.put(f"{here}/name", json={"name": f"{site}-{number:02}"}).raise_for_status()
            operator.post(f"{here}/tags", json={"add": [f"site={site}"]}).raise_for_status()

    def post(self, devices: Sequence[Device]) -> None:
        """One frame of each."""
        for device in devices:
            told = device.http.get("/v1/assignment").json()
            number = self._chance.randrange(len(self._drawn))
            frame = self._encoders[told["counter"]].encode(self._drawn[number], Stream.ABBREVIATED)
            self.truth[self._answered(device, frame)] = self._labels[number]

    def post_files(self, devices: Sequence[Device], quality: float, count: int) -> None:
        """Ordinary JPEG files: what frames would cost without the tables."""
        encoder = Encoder(TableSet.standard(quality, Sampling.YUV420))
        for number in range(count):
            self._answered(devices[number % len(devices)], encoder.encode(self._drawn[number], Stream.INTERCHANGE))

    def _answered(self, device: Device, frame: bytes) -> str:
        answer = device.post(frame)
        answer.raise_for_status()
        return str(answer.json()["id"])


def main() -> None:
    """Make the pictures."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--bundles", type=Path, required=True, help="folder with bundle folders v1 and v2")
    arguments.add_argument("--out", type=Path, default=Path("docs/images"))
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder), given.bundles, given.out)


def take(folder: Path, bundles: Path, out: Path) -> None:
    """Run the system in a folder, and write the pictures to another one."""
    chance = random.Random(7)
    drawn, labels = _pictures(folder)
    read = {n: Bundle.from_bytes((bundles / f"v{n}" / "bundle.json").read_bytes()) for n in (1, 2)}
    encoders = {number: bundle.encoding.encoder() for number, bundle in read.items()}
    with server_in_thread(folder / "server", wait_max_seconds=30, **KEEP) as server:
        server.publish(bundles / "v1")
        server.assign(FAMILY, 1)
        fleet = Fleet(server, encoders, drawn, labels, chance)
        fleet.name_all()
        fleet.post_files(fleet.devices[:4], commands.STANDARD_QUALITY, 80)
        for _ in range(12):
            fleet.post(fleet.devices)
        _label(server, fleet, chance)
        _write_history(server, chance)
        server.publish(bundles / "v2")
        _hold_some(server, fleet)
        with _at_work(fleet, fleet.devices[:-3]), chromium(server.addresses["operator"], folder) as browser:
            browser.log_in(server)
            _shoot(server, browser, fleet, chance, out)


def _shoot(server: ServerHarness, browser: Browser, fleet: Fleet, chance: random.Random, out: Path) -> None:
    body = {"family": FAMILY, "counter": 2, "plan": PLAN, "note": "tables learned with the classifier"}
    rollout = server.client("operator").post("/v1/rollouts", json=body).json()["id"]
    operator = server.client("operator")
    wait_until(lambda: len(operator.get(f"/v1/rollouts/{rollout}").json()["verdicts"]) >= VERDICTS, PATIENCE_SECONDS)
    _label(server, fleet, chance)
    shots = (
        Shot("rollout", f"/rollouts/{rollout}"),
        Shot("overview", "/"),
        Shot("fleet", "/fleet"),
        Shot("version", f"/versions/{FAMILY}/2"),
        Shot("live", "/live"),
        Shot("review", f"/review?family={FAMILY}&reason=near_threshold"),
    )
    for shot in shots:
        browser.resize(WIDE)
        browser.open(shot.path)
        browser.wait_for("main h1")
        once(lambda: browser.driver.execute_script("return [...document.images].every((i) => i.complete)") or None)
        taken = out / f"console-{shot.name}.png"
        browser.screenshot(taken)
        taken.write_bytes(_small(Image.open(taken)))
        print(f"{taken}: {taken.stat().st_size / 1000:.0f} kB")


def _pictures(folder: Path) -> tuple[Pixels, list[str]]:
    """Held-out pictures, and what they show."""
    run(commands.frames(PICTURES, folder / "pictures"), log=folder / "pictures.log")
    files = sorted((folder / "pictures").rglob("*.png"), key=lambda path: path.stem)
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]), [
        file.parent.name for file in files
    ]


def _label(server: ServerHarness, fleet: Fleet, chance: random.Random) -> None:
    """Most of the kept frames of the random audit get the label that their picture has; all others wait."""
    operator = server.client("operator")
    kept = operator.get("/v1/samples", params={"reason": "random", "labelled": False, "limit": 500}).json()["samples"]
    for sample in kept:
        truth = fleet.truth.get(sample["frame_id"])
        if truth is not None and chance.random() < 0.8:
            body = {"label": truth, "source": "audit"}
            operator.put(f"/v1/frames/{sample['frame_id']}/label", json=body).raise_for_status()


def _write_history(server: ServerHarness, chance: random.Random) -> None:
    """Two weeks of sums before this hour, in the manner of what this run has sent: less at night and at weekends."""
    tables = [table for table in metadata.tables.values() if "hour" in table.c]
    with server.database() as database:
        for table in tables:
            rows = [dict(row._mapping) for row in database.execute(select(table))]
            key = {column.name for column in table.primary_key}
            for row in rows:
                summed = [name for name in row if name not in key and isinstance(row[name], int | float)]
                for ago in range(1, HISTORY_DAYS * 24):
                    share = _busyness(row["hour"] - ago) * chance.uniform(0.85, 1.15)
                    scaled = {name: type(row[name])(row[name] * share) for name in summed}
                    if any(scaled.values()):
                        _draw_right_ones(scaled, chance)
                        database.execute(insert(table), {**row, **scaled, "hour": row["hour"] - ago})


def _draw_right_ones(scaled: dict[str, Any], chance: random.Random) -> None:
    """As many right answers as chance gives where the estimate holds: the few of this run, scaled, repeat its luck."""
    if not scaled.get("audited") or not scaled.get("estimated"):
        return
    share = scaled["expected_millionths"] / scaled["estimated"] / 1e6
    right = sum(chance.random() < share for _ in range(scaled["audited"]))
    scaled["correct"], scaled["audited_correct"] = scaled["correct"] - scaled["audited_correct"] + right, right


def _busyness(hour: int) -> float:
    """How much is sent in an hour since 1970, over what this run sends."""
    is_weekend = (hour // 24 + 4) % 7 in (0, 6)  # 1970 began on a Thursday
    return (0.5 if is_weekend else 0.8) * (0.3 if hour % 24 < 6 else 1.0)


def _hold_some(server: ServerHarness, fleet: Fleet) -> None:
    """One camera in quarantine, one pinned, one revoked; the last two fall silent."""
    operator = server.client("operator")
    quarantined, pinned, revoked = fleet.devices[5], fleet.devices[6], fleet.devices[-3]
    held = {"reason": "a smeared lens"}
    operator.put(f"/v1/devices/{quarantined.device_id}/quarantine", json=held).raise_for_status()
    operator.put(f"/v1/devices/{pinned.device_id}/pin", json={"counter": 1}).raise_for_status()
    operator.put(f"/v1/devices/{revoked.device_id}/revocation").raise_for_status()


@contextmanager
def _at_work(fleet: Fleet, devices: Sequence[Device]) -> Iterator[None]:
    """Cameras that post again and again meanwhile."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(0.5):
            fleet.post(devices)

    at_work = threading.Thread(target=work)
    at_work.start()
    try:
        yield
    finally:
        is_over.set()
        at_work.join()


def _small(picture: Image.Image) -> bytes:
    """A picture as PNG of few bytes: not higher than a page of the docs, and of as many colours as fit."""
    shown = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, MOST_HEIGHT)))
    for colours in COLOURS:
        file = io.BytesIO()
        shown.quantize(colours, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()


if __name__ == "__main__":
    main()
