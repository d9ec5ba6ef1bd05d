"""The demo's cameras: real sensor programs with pictures of their own; the first is the canary of its rollouts."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness import commands
from harness.processes import Running, run, wait_for_all

CAMERAS = 4
CANARY_TAG = "site=lab"
BATCH = 16


@dataclass(frozen=True)
class Camera:
    """One camera: the directory that is its own, and what it takes pictures of."""

    state: Path
    pictures: Path

    @property
    def log(self) -> Path:
        """Where its programs tell what they do."""
        return self.state.with_suffix(".log")

    @property
    def device_id(self) -> str:
        """Its name, as the server has it."""
        return str(self._status()["device_id"])

    @property
    def frames_taken(self) -> int:
        """How many frames it has taken so far."""
        counters = self._status()["counters"]
        assert isinstance(counters, dict)
        return int(counters["captured"])

    def enrol(self, device_plane: str, claim_code: str, root: Path) -> None:
        """Give it its identity."""
        run(commands.enrol(device_plane, claim_code, self.state, root), log=self.log)

    def at_work(self, rate: float) -> Running:
        """It takes so many pictures a second, again and again."""
        return Running(commands.camera(self.state, self.pictures, batch=BATCH, rate=rate), self.log)

    def _status(self) -> Mapping[str, object]:
        status: Mapping[str, object] = json.loads(run(commands.camera_status(self.state), log=self.log))
        return status


def deal(pictures: Sequence[Path], folder: Path) -> list[Camera]:
    """The cameras of a demo, between which these pictures (`LABEL/INDEX.png`) are dealt out like cards."""
    cameras = [Camera(folder / f"camera-{number}", folder / f"pictures-{number}") for number in range(1, CAMERAS + 1)]
    for index, picture in enumerate(pictures):
        to = cameras[index % CAMERAS].pictures / picture.parent.name
        to.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, to)
    return cameras


def send_once(cameras: Sequence[Camera], seconds: float, look: Callable[[], object]) -> None:
    """Have each send every picture of its own once, all at the same time, until all are answered and labelled.

    Raises:
        ProgramError: one did not come to that.
    """
    with ExitStack() as stack:
        once = [commands.camera_once(camera.state, camera.pictures, batch=BATCH) for camera in cameras]
        programs = [stack.enter_context(Running(each, camera.log)) for each, camera in zip(once, cameras, strict=True)]
        wait_for_all(programs, seconds, look)
