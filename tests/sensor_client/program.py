"""`dctwire-sensor` as its users run it: its entry point, in a process of its own."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from sensor_client.entry import main
from sensor_client.state_directory import StateDirectory
from sensor_client.status import read_status

PROGRAM = Path(sys.executable).with_name("dctwire-sensor")
DEADLINE_SECONDS = 120.0
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["pytest", "sensor_client.app", __name__])


def environment(**changes: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DCTWIRE_")}
    return {**ours, "COLUMNS": "160", "PYTHONWARNINGS": "error", **changes}


def sensor(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end. The process is forked from one that has loaded the program, which is most of its work."""
    words = [str(PROGRAM), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = FORKING.Process(target=_run, args=(words, environment(**changes), out, err))
        process.start()
        process.join(DEADLINE_SECONDS)
        process.kill()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(words, process.exitcode, out.read_text(), err.read_text())


def _run(words: list[str], variables: dict[str, str], out: Path, err: Path) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(variables)
    warnings.simplefilter("error")
    sys.argv = words
    main()


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
