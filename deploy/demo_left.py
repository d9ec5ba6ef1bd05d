"""What is there once the demo has ended: what to try next, and a system left running until it is stopped."""

import json
from pathlib import Path

from PIL import Image
from rich.console import Console

from harness import commands
from harness.processes import Running, stop_program

LEFT_RUNNING = "left-running.json"
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


def leave_running(folder: Path, server: Running, addresses: dict[str, str], token: str, console: Console) -> Running:
    """Leave the server running with a camera at work, which is returned; say where everything is, and what to type."""
    command = commands.camera(folder / "camera", folder / "pictures", batch=16, rate=5)
    camera = Running(command, folder / "camera.log")
    pids = {"server": server.leave_running(), "camera": camera.leave_running()}
    (folder / LEFT_RUNNING).write_text(json.dumps(pids))
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    folder, device = _short(folder), addresses["device"]
    _say(
        console,
        "",
        "Still running, with a camera that sends 5 frames a second:",
        f"  device plane    {device}",
        f"  operator plane  {addresses['operator']}",
        f"  metrics         {addresses['ops']}/metrics",
        f"  logs            {folder}/server.log, {folder}/camera.log",
        "",
        "Try next:",
        "  source .venv/bin/activate",
        f"  export DCTWIRE_OPERATOR_URL={addresses['operator']}",
        "  dctwire status                       # families, and how many devices have the assigned tables",
        "  dctwire bundles                      # versions, and what they promise",
        f"  dctwire report {commands.FAMILY}              # bytes a frame and accuracy, by table version",
        f"  dctwire assign {commands.FAMILY} 1            # back to version 1, over the air; then: dctwire status",
        f"  dctwire-sensor status --state {folder}/camera",
        "Post a picture, and see its label:",
        f'  curl -sS -H "Authorization: Bearer $(cat {folder}/token)" -H "DW-Sequence: $(date +%s)" '
        f'-H "Content-Type: image/jpeg" --data-binary @{folder}/picture.jpg {device}/v1/frames',
        "To end it: make stop",
    )
    return camera


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
