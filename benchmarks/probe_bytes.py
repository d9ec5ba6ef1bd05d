"""What probes cost in bytes: two cameras send the same pictures, one of them some a second time with the tables before.

    make bench NAME=probe_bytes

The real program of the sensor posts to a server through a socket that counts whole HTTP messages both ways, frames one
by one (`single`) or in batches of 32 (`batch32`). The tables in use are those of the zoo's `cifar100-100`, those before
them of `cifar100-150`. Which pictures get a probe follows from a hash, one in 200 in the long run: so what the camera
with probes exchanges more, divided among the probes that it sent, is `probe_bytes_*`; `frame_bytes_*` is what the other
one exchanges a frame; `added_percent_*` sets one of the first against 200 of the second. With `single` a probe is a
request of its own. So it is in batches, too, where no second probe comes within ten minutes, on a slow camera:
`added_percent_batch32_alone`. n counts the frames of a run, four times as many with `batch32`. Neither the machine nor
its load matters.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from benchmarks import codec_pictures, record
from benchmarks.counting_relay import CountingRelay
from benchmarks.pinned_server import PinnedServer
from benchmarks.published_many import version
from cloud_server.cli.publishing import ModelFolder
from harness import commands
from harness.processes import run
from sensor_client.probing import PERIOD_FRAMES

ZOO: Final = record.ROOT / "trainer" / "zoo"
BEFORE, NOW = "cifar100-150", "cifar100-100"
FAMILY: Final = "cameras"
SIDE: Final = 32
FRAMES: Final = 2_000
SETTLING: Final = ("--count", "100", "--rate", "20", "--batch", "1", "--no-probes")
"""What a camera sends until new tables are confirmed: all as many frames, so that their numbers are alike."""


@dataclass(frozen=True)
class Way:
    """How frames are sent, and how many."""

    batch: int
    frames: int


WAYS: Final = {"single": Way(1, FRAMES), "batch32": Way(32, 4 * FRAMES)}


@dataclass(frozen=True)
class Exchanged:
    """What a run exchanged, both ways, and how many probes it sent beside its frames."""

    bytes: int
    probes: int


def main() -> int:
    """Measure both ways, record."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: measure(Path(folder) / name, way) for name, way in WAYS.items()}
    record.write(
        "probe_bytes", FRAMES, figures(runs), f"frames of {NOW}, before {BEFORE}; {codec_pictures.described()}"
    )
    return 0


def figures(runs: Mapping[str, tuple[Exchanged, Exchanged]]) -> dict[str, float]:
    """Of each way a run without and one with probes: bytes a frame and a probe, and what probes add."""
    found: dict[str, float] = {}
    for way, (without, with_probes) in runs.items():
        found[f"frame_bytes_{way}"] = without.bytes / WAYS[way].frames
        found[f"probe_bytes_{way}"] = (with_probes.bytes - without.bytes) / with_probes.probes
        found[f"added_percent_{way}"] = added_percent(found[f"probe_bytes_{way}"], found[f"frame_bytes_{way}"])
    found["added_percent_batch32_alone"] = added_percent(found["probe_bytes_single"], found["frame_bytes_batch32"])
    return found


def added_percent(probe_bytes: float, frame_bytes: float) -> float:
    """What one probe adds to the frames among which it is the only one."""
    return 100 * probe_bytes / (PERIOD_FRAMES * frame_bytes)


def measure(folder: Path, way: Way) -> tuple[Exchanged, Exchanged]:
    """A camera without probes, and one with them, which have both taken the second version."""
    write_pictures(folder / "pictures")
    with PinnedServer(0) as server, CountingRelay(server.device_address) as relay:
        cameras = [Camera(folder / name, way.batch) for name in ("without", "with")]
        for counter, name in ((1, BEFORE), (2, NOW)):
            server.publish(version(ModelFolder.read(ZOO / name), FAMILY, counter))
            server.assign(FAMILY, counter)
            for camera in cameras:
                if counter == 1:
                    camera.enrol(server, relay)
                camera.send(*SETTLING)
                camera.require(f"{FAMILY}/{counter}")
        without, with_probes = (
            exchanged(camera, relay, way.frames, with_probes=is_with)
            for camera, is_with in zip(cameras, (False, True), strict=True)
        )
    return without, with_probes


def exchanged(camera: "Camera", relay: CountingRelay, frames: int, *, with_probes: bool) -> Exchanged:
    """What passes the relay while a camera sends so many frames and whatever belongs to them."""
    before = relay.sent_bytes + relay.received_bytes
    probes = "--probes" if with_probes else "--no-probes"
    camera.send("--count", str(frames), "--batch", str(camera.batch), probes)
    counted = camera.status()["counters"]
    return Exchanged(relay.sent_bytes + relay.received_bytes - before, counted["probes_sent"])


@dataclass(frozen=True)
class Camera:
    """The real program and its folder."""

    folder: Path
    batch: int

    def enrol(self, server: PinnedServer, relay: CountingRelay) -> None:
        """Join the family, through the relay."""
        self.folder.mkdir()
        (self.folder / "root.json").write_bytes(server.root)
        host, port = relay.address
        code = server.claim(FAMILY)
        run(commands.enrol(f"http://{host}:{port}", code, self._state, self.folder / "root.json"), log=self._log)

    def send(self, *how: str) -> None:
        """Send the same pictures each time, as often as is said."""
        source = self.folder.parent / "pictures"
        command = ("dctwire-sensor", "run", "--state", str(self._state), "--source", str(source), "--loop")
        run((*command, "--exit-when-drained", *how), log=self._log)

    def status(self) -> dict[str, Any]:
        """What it has done so far."""
        said: dict[str, Any] = json.loads(run(commands.camera_status(self._state), log=self._log))
        return said

    def require(self, bundle: str) -> None:
        """Refuse to go on with other tables than these."""
        active = self.status()["active_bundle"]
        if active != bundle:
            raise RuntimeError(f"the camera runs {active}, not {bundle}: it was given too few frames")

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    @property
    def _log(self) -> Path:
        return self.folder / "log"


def write_pictures(folder: Path) -> None:
    """The pictures of the codec's benchmarks, as files."""
    folder.mkdir(parents=True)
    for index, pixels in enumerate(codec_pictures.pictures(SIDE)):
        Image.fromarray(pixels).save(folder / f"{index:03}.png")


if __name__ == "__main__":
    sys.exit(main())
