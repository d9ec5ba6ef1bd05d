"""`make demo`: the whole loop on this machine with the real programs as separate processes, measured.

The trainer makes version 1 (standard tables) and version 2 (learned), each with its classifier; the server starts;
cameras enrol and upload held-out frames with v1; the operator publishes v2, which changes nothing, and starts a
rollout: the running canary picks v2 up over the air, proves it by its frames, and the others follow; an ordinary client
posts the same pictures as ordinary JPEG files. Every figure is measured in this run, from the server's metrics.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo_fleet import CAMERAS, CANARY_TAG, Camera, deal, send_once
from deploy.demo_left import keep_a_picture, leave_running, stop_left_running, tell_what_to_try
from deploy.demo_report import Report, show
from deploy.demo_rollout import PLAN, Proof, roll_out
from deploy.ordinary_camera import OrdinaryCamera
from harness import commands
from harness.measurement import Measured, Samples, measured
from harness.processes import Command, ProgramError, Running, run, run_side_by_side

FRAMES = 2000
RATE = 40.0  # pictures a second and camera, during the rollout
UNCHANGED = 100  # frames that show that a publication changes nothing
WAIT_SECONDS = 300.0  # a busy machine answers fewer frames than the cameras take: the spool waits
MARK = ".made-by-the-demo"
ROOT = Path(__file__).resolve().parents[1]


class Demo:
    """One run of the demo, step by step, in a folder of its own."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console
        self.as_operator: dict[str, str] = {}
        self._ops = ""
        self._steps: list[tuple[str, float]] = []
        self.token = ""

    def learn(self) -> None:
        """Version 1 and version 2, side by side on a core each, as bundle folders."""
        self._title("1/5", "The trainer learns v1 (standard tables) and v2 (its own), side by side")
        v1, v2 = self._folder / "run-v1", self._folder / "run-v2"
        self._at_once(commands.train_learned(v2), commands.train_standard(v1))
        self._at_once(commands.export(v2, 2, self._bundle(2)), commands.export(v1, 1, self._bundle(1)))

    def take_pictures(self) -> list[Path]:
        """Held-out pictures that no training has seen, in the order of their names."""
        self._title("2/5", f"{FRAMES} held-out pictures of the data set `synthetic`")
        run(commands.frames(FRAMES, self._folder / "pictures"))
        return sorted((self._folder / "pictures").rglob("*.png"), key=lambda path: path.stem)

    def serve(self, stack: ExitStack) -> tuple[Running, dict[str, str]]:
        """Keys, the server, v1 published and assigned; the server and its addresses."""
        self._title("3/5", "The server starts; the operator publishes v1")
        data = self._folder / "server"
        run(commands.init_trust(self._keys, data), log=self._log("operator"))
        server = stack.enter_context(Running(commands.serve(data), self._log("server")))
        server.wait_for((data / "addresses.json").exists, WAIT_SECONDS, "server that is ready")
        addresses: dict[str, str] = json.loads((data / "addresses.json").read_text())
        self.as_operator = commands.as_operator(addresses["operator"], data)
        self._ops = addresses["ops"]
        self._publish(1, assign=True)
        return server, addresses

    def enrol(self, device_plane: str, pictures: Sequence[Path]) -> list[Camera]:
        """Cameras with pictures of their own, that have their identities; the first one is tagged as the canary."""
        self._title("4/5", f"{CAMERAS} cameras send v1; a rollout leads them to v2, one canary first")
        cameras = deal(pictures, self._folder)
        for camera in cameras:
            camera.enrol(device_plane, self._claim(), self._keys / "root.json")
        run(commands.tag(cameras[0].device_id, CANARY_TAG), log=self._log("operator"), env=self.as_operator)
        return cameras

    def update(self, cameras: Sequence[Camera]) -> Proof:
        """Every picture with v1, then a rollout while the cameras are at work, then every picture with v2."""
        self._send_once(cameras, "v1")
        with ExitStack() as stack:
            running = [stack.enter_context(camera.at_work(RATE)) for camera in cameras]
            self._publish_without_effect(running[0])
            proof = roll_out(self._scrape, self.as_operator, cameras[0].device_id, self._log("operator"), WAIT_SECONDS)
        self._send_once(cameras, "v2")
        return proof

    def frames_lost(self, cameras: Sequence[Camera]) -> int:
        """How many frames the cameras took that were never answered."""
        taken = sum(camera.frames_taken for camera in cameras)
        return taken - self._measured("v1").frames - self._measured("v2").frames

    def post_ordinary_files(self, device_plane: str, pictures: Sequence[Path]) -> float:
        """The same pictures as ordinary JPEG files, one by one; mean size of a file in bytes."""
        self._title("5/5", f"The same pictures as ordinary JPEG files of quality {commands.STANDARD_QUALITY}")
        camera = OrdinaryCamera(device_plane, self._claim(), commands.STANDARD_QUALITY)
        with self._progress() as progress:
            sizes = list(progress.track(camera.post(pictures), total=len(pictures), description="posted"))
        camera.close()
        self.token = camera.token
        return sum(sizes) / len(sizes)

    def report(self, file_bytes: float, frames_lost: int, proof: Proof) -> Report:
        """What the server's metrics say."""
        standard, v1, v2 = (self._measured(tables) for tables in ("interchange", "v1", "v2"))
        return Report(standard, v1, v2, file_bytes, frames_lost, proof)

    def _at_once(self, of_v2: Command, of_v1: Command) -> None:
        run_side_by_side(of_v2, of_v1, self._log("trainer-v1"), WAIT_SECONDS)

    def _send_once(self, cameras: Sequence[Camera], tables: str) -> None:
        before = self._measured(tables).labelled
        with self._progress() as progress:
            task = progress.add_task(f"{tables} frames, answered and labelled", total=FRAMES)

            def look() -> None:
                done = self._measured(tables).labelled - before
                progress.update(task, completed=min(done, FRAMES))

            send_once(cameras, WAIT_SECONDS, look)

    def _publish_without_effect(self, camera: Running) -> None:
        """Publish v2, and see that everything goes on with v1."""
        self._publish(2, assign=False)
        before = self._measured("v1").frames
        camera.wait_for(lambda: self._measured("v1").frames >= before + UNCHANGED, WAIT_SECONDS, "more frames with v1")
        if of_v2 := self._measured("v2").frames:
            raise ProgramError(f"{of_v2} frames came with v2, which nobody has released")
        self._console.print(
            f"v2 is published, and changes nothing: the next {UNCHANGED} frames all came with v1. Now the rollout:\n"
            f"  dctwire {' '.join(commands.start_rollout(2, PLAN.relative_to(ROOT))[1:-1])}",
            highlight=False,
            soft_wrap=True,
        )

    def _measured(self, tables: str) -> Measured:
        return measured(self._scrape(), tables, FRAMES)

    def _scrape(self) -> Samples:
        return Samples.scrape(self._ops)

    def _publish(self, counter: int, *, assign: bool) -> None:
        command = commands.publish(self._bundle(counter), self._keys, assign=assign)
        run(command, log=self._log("operator"), env=self.as_operator)

    def _claim(self) -> str:
        claim = run(commands.claim(), log=self._log("operator"), env=self.as_operator)
        return str(json.loads(claim)["claim_code"])

    @property
    def _keys(self) -> Path:
        return self._folder / "keys"

    def _bundle(self, counter: int) -> Path:
        return self._folder / f"v{counter}"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def tell_where_the_time_went(self, started: float) -> None:
        """Seconds of each step; `started` is when `make` began, so that what came before the first one counts."""
        spent = seconds_of_steps([("set-up", started), *self._steps], time.time())
        words = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in spent)
        self._console.print(f"Where the time went: {words}.", highlight=False, soft_wrap=True)

    def _title(self, step: str, words: str) -> None:
        self._steps.append((step, time.time()))
        self._console.rule(f"[bold]{step}[/]  {words}", align="left")

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console)


def main() -> int:
    """Run the demo; exit status 1 with the reason when a step fails."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--keep", action="store_true", help="leave server and cameras running")
    arguments.add_argument("--stop", action="store_true", help="stop what an earlier --keep left running")
    arguments.add_argument("--folder", type=Path, default=ROOT / "demo-run", help="where everything goes")
    given = arguments.parse_args()
    console = Console()
    signal.signal(signal.SIGTERM, _end)
    try:
        stopped = stop_left_running(given.folder)
        if stopped:
            console.print(
                f"Stopped what an earlier demo left running: {', '.join(stopped)}.", highlight=False, soft_wrap=True
            )
        elif given.stop:
            console.print(f"Nothing to stop: no demo runs in {given.folder}.", highlight=False)
        if not given.stop:
            with ExitStack() as stack:
                play(given.folder, console, stack, keep=given.keep)
    except ProgramError as error:
        console.print(f"[red]The demo failed:[/] {escape(str(error))}\nLogs are in {given.folder}/", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def _end(number: int, _frame: object) -> NoReturn:
    """End in order on SIGTERM: children have sessions of their own, and are stopped on the way out."""
    sys.exit(128 + number)


def play(folder: Path, console: Console, stack: ExitStack, *, keep: bool) -> None:
    """Every step; what was started is stopped when `stack` closes, unless it is kept."""
    started = float(os.environ.get("DCTWIRE_DEMO_STARTED", time.time()))
    clear(folder)
    demo = Demo(folder, console)
    demo.learn()
    pictures = demo.take_pictures()
    server, addresses = demo.serve(stack)
    cameras = demo.enrol(addresses["device"], pictures)
    proof = demo.update(cameras)
    lost = demo.frames_lost(cameras)
    file_bytes = demo.post_ordinary_files(addresses["device"], pictures)
    show(demo.report(file_bytes, lost, proof), folder, time.time() - started, console)
    demo.tell_where_the_time_went(started)
    keep_a_picture(pictures, folder)
    if keep:
        leave_running(folder, server, cameras, addresses, demo.as_operator, demo.token, console)
    else:
        tell_what_to_try(folder, console)


def seconds_of_steps(begins: Sequence[tuple[str, float]], ended: float) -> list[tuple[str, float]]:
    """How long each step took that began at these moments, one after the other."""
    moments = [moment for _, moment in begins] + [ended]
    return [(name, after - before) for (name, _), (before, after) in zip(begins, pairwise(moments), strict=True)]


def clear(folder: Path) -> None:
    """An empty folder; what an earlier demo left there goes, anything else stays.

    Raises:
        ProgramError: there is something that no demo put there.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ProgramError(f"{folder} holds something else than an earlier demo; name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


if __name__ == "__main__":
    sys.exit(main())
