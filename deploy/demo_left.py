"""What is there once the demo has ended: what to try next, and a system left running until it is stopped."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console

from deploy.demo_fleet import Camera
from deploy.demo_rollout import PLAN
from harness import commands
from harness.processes import Running, run, stop_program

LEFT_RUNNING = "left-running.json"
RATE = 5.0  # pictures a second and camera
BIN = ".venv/bin"


def tell_what_to_try(folder: Path, console: Console) -> None:
    """What can be tried without a server, with what this run left in its folder."""
    folder = _short(folder)
    _say(
        console,
        "Try next:",
        f"  {BIN}/dctwire-sensor encode {folder}/picture.jpg --bundle {folder}/v2/bundle.json   # bytes of a frame",
        f"  {BIN}/dctwire-trainer plot tables {folder}/v1 {folder}/v2 --out tables.png",
        f"  {BIN}/dctwire-trainer zoo list                # classifiers of real pictures, trained already",
        "  make demo KEEP=1                             # the same, and leave it running to play with",
        "The commands by hand, one after the other: docs/getting-it.md",
    )


def keep_a_picture(pictures: list[Path], folder: Path) -> None:
    """One of the pictures as an ordinary JPEG file, to post by hand."""
    with Image.open(pictures[0]) as picture:
        picture.convert("RGB").save(folder / "picture.jpg", quality=commands.STANDARD_QUALITY)


def leave_running(
    folder: Path,
    server: Running,
    cameras: Sequence[Camera],
    addresses: dict[str, str],
    as_operator: dict[str, str],
    token: str,
    console: Console,
) -> list[Running]:
    """Leave the server running with cameras at work, which are returned; say where everything is, and what to type."""
    running = [camera.at_work(RATE) for camera in cameras]
    pids = {camera.state.name: program.leave_running() for camera, program in zip(cameras, running, strict=True)}
    (folder / LEFT_RUNNING).write_text(json.dumps({"server": server.leave_running(), **pids}))
    shutil.copy(PLAN, folder)
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    made = json.loads(run(commands.console_login(), log=folder / "operator.log", env=as_operator))
    folder, device = _short(folder), addresses["device"]
    _say(
        console,
        "",
        f"Still running, with {len(cameras)} cameras that send {RATE:g} frames a second each:",
        f"  device plane    {device}",
        f"  operator plane  {addresses['operator']}",
        f"  console         {made['address']}",
        f"                  log in once, within ten minutes, with the code {made['code']}",
        "                  (another code: dctwire console login)",
        f"  metrics         {addresses['ops']}/metrics",
        f"  logs            {folder}/server.log, {folder}/camera-1.log ...",
        "",
        "Try next:",
        "  source .venv/bin/activate",
        *(f"  export {name}={value}" for name, value in as_operator.items()),
        "  dctwire status                       # families, and how many devices have the assigned tables",
        "  dctwire bundles                      # versions, and what they promise",
        f"  dctwire report {commands.FAMILY}              # bytes a frame and accuracy, by table version",
        "  dctwire devices                      # the cameras, and the tables that each sent last",
        f"  dctwire-sensor status --state {folder}/camera-1    # what that camera runs, and what waits",
        "  dctwire rollout list                 # then, of one of them: dctwire rollout status NAME",
        "Back to version 1, over the air, the canary first; meanwhile, dctwire rollout rollback NAME takes that back:",
        f"  dctwire rollout start {commands.FAMILY} 1 --plan {folder}/{PLAN.name} --wait",
        "Post a picture, and see its label:",
        f'  curl -sS -H "Authorization: Bearer $(cat {folder}/token)" -H "DW-Sequence: $(date +%s)" '
        f'-H "Content-Type: image/jpeg" --data-binary @{folder}/picture.jpg {device}/v1/frames',
        "To end it: make stop",
    )
    return running


def stop_left_running(folder: Path) -> list[str]:
    """Stop what an earlier demo left running in `folder`; what it was, for people.

    Raises:
        ProgramError: a program does not end.
    """
    file = folder / LEFT_RUNNING
    if not file.exists():
        return []
    pids: dict[str, int] = json.loads(file.read_text())
    stopped = [f"the {name} (process {pid})" for name, pid in pids.items() if stop_program(pid, folder)]
    file.unlink()
    return stopped


def _say(console: Console, *lines: str) -> None:
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def _short(folder: Path) -> Path:
    """The folder as it is typed here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
