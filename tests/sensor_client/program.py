"""`dctwire-sensor` as its users run it: the installed entry point, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sensor_client.state_directory import StateDirectory
from sensor_client.status import read_status

PROGRAM = Path(sys.executable).with_name("dctwire-sensor")
DEADLINE_SECONDS = 60.0


def environment(**changes: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DCTWIRE_")}
    return {**ours, "COLUMNS": "160", "PYTHONWARNINGS": "error", **changes}


def sensor(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
        env=environment(**changes),
    )


def start_sensor(*arguments: object) -> "subprocess.Popen[str]":
    """Start it; stderr carries its log, a JSON object a line."""
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def events(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def await_event(process: "subprocess.Popen[str]", name: str, **values: object) -> None:
    """Read the log until it tells of this."""
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == name and values.items() <= event.items():
            return
    raise AssertionError(f"the program ended before it told of {name}")


def status(state: Path) -> dict[str, Any]:
    return read_status(StateDirectory(state)).model_dump(mode="json")
