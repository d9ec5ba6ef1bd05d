"""docker-compose.yml runs the programs as the demo does, keeps keys where they belong, and is a valid file."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_server.rollout.plan import Plan
from deploy.demo_fleet import CAMERAS, CANARY_TAG
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
    commands.publish(ANYWHERE, ANYWHERE, assign=True),
    commands.claim(),
    commands.enrol("http://server", "code", ANYWHERE, ANYWHERE),
    commands.camera(ANYWHERE, ANYWHERE, batch=16, rate=5),
    commands.tag("DEVICE", CANARY_TAG),
    commands.start_rollout(2, ANYWHERE),
    commands.rollout_devices("ROLLOUT"),
]
GROUPS = ("devices", "rollout", "trust")
ONLY_IN_COMPOSE = {("dctwire", "assign"), ("dctwire", "devices"), ("dctwire", "rollout", "list")}


def services() -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return described


def compose_commands() -> list[list[str]]:
    """Each call of one of our programs once, as words; what people are told to type stands in the file's head."""
    told = re.findall(
        r"^# +docker compose run --rm operator (dctwire .*)$", (ROOT / "docker-compose.yml").read_text(), re.M
    )
    found = [shlex.split(line) for line in told]
    for name, service in services().items():
        command = [str(word) for word in service.get("command", [])]
        if name == "server":
            found.append(["dctwire-server", *command])
            continue
        for line in "".join(command[-1:]).replace("||", "\n").splitlines():
            words = [word for word in shlex.split(line) if word != "exec"]
            if words and words[0] in PROGRAMS:
                found.append(words)
    return [list(each) for each in dict.fromkeys(map(tuple, found))]  # the cameras type the same


def shape(command: list[str]) -> tuple[str, ...]:
    """Program, subcommand and option names, without values."""
    return tuple(command[: depth(command)]) + tuple(sorted(word for word in command if word.startswith("--")))


def depth(command: list[str]) -> int:
    """How many words name the command."""
    return 3 if command[1] in GROUPS and len(command) > 2 else 2


def test_every_command_of_the_demo_stands_in_compose_and_the_other_way_round() -> None:
    ignored = {
        "--json",
        "--assign",
        "--wait",
        "--device-host",
        "--device-port",
        "--operator-port",
        "--ops-port",
        "--ops-host",
    }

    def shapes(all_commands: list[list[str]]) -> set[tuple[str, ...]]:
        return {tuple(word for word in shape(list(command)) if word not in ignored) for command in all_commands}

    assert shapes(compose_commands()) - ONLY_IN_COMPOSE == shapes([list(command) for command in DEMO])


def test_compose_trains_with_the_demos_settings() -> None:
    trained = [command[2:-1] for command in compose_commands() if command[1] == "train"]
    assert trained == [list(make(ANYWHERE))[2:-1] for make in (commands.train_standard, commands.train_learned)]


@pytest.mark.parametrize("command", compose_commands(), ids=" ".join)
def test_every_option_in_compose_exists(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    run = subprocess.run(
        [program, *command[1 : depth(command)], "--help"],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "TERMINAL_WIDTH": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(word in run.stdout for word in command[depth(command) :] if word.startswith("--")), run.stdout


def test_compose_starts_as_many_cameras_as_the_demo_and_gives_each_a_claim_code() -> None:
    cameras = {name: service for name, service in services().items() if name.startswith("camera-")}
    assert [service["environment"]["CAMERA"] for service in cameras.values()] == [*range(1, CAMERAS + 1)]
    assert len({service["volumes"][-1] for service in cameras.values()}) == CAMERAS
    numbers = " ".join(map(str, range(1, CAMERAS + 1)))
    assert f"for camera in {numbers}; do" in services()["operator"]["command"][-1]


def test_the_rollouts_canary_is_the_camera_that_gets_its_tag_and_its_plan_is_one() -> None:
    plan = Plan.model_validate(tomllib.loads((ROOT / "deploy" / "rollout.toml").read_text()))
    assert [stage.tags for stage in plan.stages] == [(CANARY_TAG,), ()]
    assert plan.stages[-1].min_devices == CAMERAS
    assert "./deploy/rollout.toml:/rollout.toml:ro" in services()["operator"]["volumes"]


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
