"""docker-compose.yml runs the programs as the demo does, keeps keys where they belong, and is a valid file."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import commands
from tests.system_packages import required

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("dctwire", "dctwire-server", "dctwire-sensor", "dctwire-trainer")
ANYWHERE = Path("/x")
DEMO = [
    commands.train_standard(ANYWHERE),
    commands.train_learned(ANYWHERE),
    commands.export(ANYWHERE, 1, ANYWHERE),
    commands.frames(2000, ANYWHERE),
    commands.init_trust(ANYWHERE, ANYWHERE),
    commands.serve(ANYWHERE),
    commands.publish(ANYWHERE, ANYWHERE),
    commands.claim(),
    commands.enrol("http://server", "code", ANYWHERE, ANYWHERE),
    commands.camera(ANYWHERE, ANYWHERE, batch=16, rate=5),
]


def services() -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return described


def compose_commands() -> list[list[str]]:
    """Every call of one of our programs, as a list of words."""
    found = []
    for name, service in services().items():
        command = [str(word) for word in service.get("command", [])]
        if name == "server":
            found.append(["dctwire-server", *command])
            continue
        for line in command[-1].replace("||", "\n").splitlines():
            words = [word for word in shlex.split(line) if word != "exec"]
            if words and words[0] in PROGRAMS:
                found.append(words)
    return found


def shape(command: list[str]) -> tuple[str, ...]:
    """Program, subcommand and option names, without values."""
    return tuple(word for word in command[:2] if "/" not in word) + tuple(w for w in command if w.startswith("--"))


def test_every_command_of_the_demo_stands_in_compose_and_the_other_way_round() -> None:
    ignored = {"--json", "--assign", "--device-host", "--device-port", "--operator-port", "--ops-port", "--ops-host"}

    def shapes(all_commands: list[list[str]]) -> set[tuple[str, ...]]:
        return {tuple(word for word in shape(list(command)) if word not in ignored) for command in all_commands}

    assert shapes(compose_commands()) - {("dctwire", "assign")} == shapes([list(command) for command in DEMO])


def test_compose_trains_with_the_demos_settings() -> None:
    trained = [command[2:-1] for command in compose_commands() if command[1] == "train"]
    assert trained == [list(make(ANYWHERE))[2:-1] for make in (commands.train_standard, commands.train_learned)]


@pytest.mark.parametrize("command", compose_commands(), ids=" ".join)
def test_every_option_in_compose_exists(command: list[str]) -> None:
    depth = 3 if command[:2] == ["dctwire", "trust"] else 2
    program = Path(sys.executable).parent / command[0]
    run = subprocess.run(
        [program, *command[1:depth], "--help"],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "TERMINAL_WIDTH": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(word in run.stdout for word in command[depth:] if word.startswith("--")), run.stdout


def test_offline_keys_reach_only_those_who_sign() -> None:
    holders = {name for name, service in services().items() if "keys:/keys" in service.get("volumes", [])}
    assert holders == {"keys", "operator"}


def test_the_operator_plane_is_not_published() -> None:
    assert not [port for service in services().values() for port in service.get("ports", []) if "8001" in port]


def test_compose_accepts_the_file() -> None:
    required("docker-compose")
    run = subprocess.run(
        [str(shutil.which("docker-compose")), "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
