"""The four programs as they are typed: version, help, and the variables that they read."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cloud_server.cli.app import app as operator
from cloud_server.command import cli as server
from cloud_server.settings import ServerSettings, described
from sensor_client.app import app as sensor
from shared.command_line import EXIT_BROKEN_PIPE
from shared.environment import KNOWN, OPERATOR, SENSOR, SERVER, TRAINER, WORKSHOP
from trainer.app import app as trainer

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"dctwire": operator, "dctwire-server": server, "dctwire-sensor": sensor, "dctwire-trainer": trainer}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MISTYPED = {"DCTWIRE_SERVER_DEVICE_PROT": "8000"}


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and those within it, each with the words that name it."""
    yield words, command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*words, name))


def every_command() -> list[tuple[str, ...]]:
    return [
        (program, *words) for program, app in PROGRAMS.items() for words, _ in commands(typer.main.get_command(app))
    ]


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A program of the environment that runs this test, as a process of its own."""
    path = Path(sys.executable).with_name(words[0])
    return subprocess.run(
        [path, *words[1:]], capture_output=True, text=True, check=False, timeout=120, env=os.environ | variables
    )


def unread(*words: str) -> tuple[int, str]:
    """How a program ends whose output nobody reads, and what it says on stderr."""
    path = Path(sys.executable).with_name(words[0])
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [path, *words[1:]], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    finally:
        os.close(writing)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_whose_output_nobody_reads_ends_quietly(program: str) -> None:
    assert unread(program, "--version") == (EXIT_BROKEN_PIPE, "")


def test_a_command_that_explains_errors_of_the_disk_does_not_take_a_reader_that_left_for_one(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()
    assert unread("dctwire", "audit", "verify", "--file", str(tmp_path / "audit.jsonl")) == (EXIT_BROKEN_PIPE, "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_mistyped_variable_is_named_and_refused_by_every_program(program: str) -> None:
    command = next(words for words, _ in commands(typer.main.get_command(PROGRAMS[program])) if words)
    refused = run(program, *command, **MISTYPED)
    assert refused.returncode == 2
    assert "DCTWIRE_SERVER_DEVICE_PROT" in refused.stderr
    assert "did you mean DCTWIRE_SERVER_DEVICE_PORT?" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert run(program, *command, "--help", **MISTYPED).returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_tells_its_version(program: str) -> None:
    assert run(program, "--version").stdout == f"{program} {version('dctwire')}\n"
    assert "--version" in run(program, "-h").stdout


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_the_short_help_and_the_version(words: tuple[str, ...]) -> None:
    program, *rest = words
    for option, said in (("-h", "Usage:"), ("--help", "Usage:"), ("--version", f" {version('dctwire')}\n")):
        result = CliRunner().invoke(PROGRAMS[program], [*rest, option])
        assert (result.exit_code, said in result.stdout) == (0, True), result.output


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_cuts_off_neither_a_variable_nor_a_default_at_80_columns(words: tuple[str, ...]) -> None:
    program, *rest = words
    app = PROGRAMS[program]
    shown = CliRunner().invoke(app, [*rest, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).stdout
    command = next(command for within, command in commands(typer.main.get_command(app)) if [*within] == rest)
    variables = [variable for parameter in command.params for variable in _variables(parameter)]
    assert not [variable for variable in variables if variable not in shown]
    assert "…" not in shown


def test_the_settings_are_whole_at_any_width() -> None:
    for columns in ("40", "80", "200"):
        shown = CliRunner().invoke(server, ["settings"], env={"COLUMNS": columns}).stdout
        words = set(shown.split())
        for setting in map(described, ServerSettings.model_fields):
            assert setting.variable in words
            assert set(setting.meaning.split()) <= words


def test_the_list_of_variables_holds_what_the_programs_read_and_nothing_else() -> None:
    assert set(SERVER) == {described(name).variable for name in ServerSettings.model_fields}
    read = {
        variable
        for app in PROGRAMS.values()
        for _, command in commands(typer.main.get_command(app))
        for parameter in command.params
        for variable in _variables(parameter)
    }
    read.add("DCTWIRE_OPERATOR_TOKEN")  # it holds a secret, which no option may
    assert {name for name in read if name.startswith("DCTWIRE_")} == {*SENSOR, *OPERATOR, *TRAINER}


def test_every_variable_of_tests_and_benchmarks_is_known() -> None:
    files = [ROOT / "Makefile", ROOT / ".ci" / "run"]
    files += [path for folder in ("tests", "benchmarks", "deploy") for path in (ROOT / folder).rglob("*.py")]
    texts = [path.read_text() for path in files if path.name not in ("test_environment.py", "test_programs.py")]
    used = {name for text in texts for name in re.findall(r"DCTWIRE_[A-Z0-9_]+[A-Z0-9]\b", text)}
    assert used <= KNOWN
    assert set(WORKSHOP) <= used


def _variables(parameter: Any) -> list[str]:
    names = getattr(parameter, "envvar", None) or []
    return [names] if isinstance(names, str) else list(names)


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_shows_a_value_for_no_option_that_takes_none(words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(PROGRAMS[words[0]], [*words[1:], "--help"], env={"COLUMNS": "200"})
    assert (told.exit_code, "<bool>" in told.stdout) == (0, False)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists_with_its_options(page: Path) -> None:
    assert [line for line in shown_commands(page.read_text()) if not exists(line)] == []


def test_the_pages_show_commands_of_every_program() -> None:
    shown = [line.split()[0] for page in PAGES for line in shown_commands(page.read_text())]
    assert set(shown) == set(PROGRAMS) and len(shown) > 40


def test_git_sees_nothing_that_the_pages_commands_make_in_a_clone() -> None:
    options = ("--keys", "--data", "--state", "--out", "--data-dir")
    lines = [shlex.split(line) for page in PAGES for line in shown_commands(page.read_text())]
    named = {path for words in lines for option, path in pairwise(words) if option in options}
    made = {path.partition("/")[0] for path in named if not path.startswith(("/", "~"))} | {"device.json"}
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    assert made - ignored == set()


def shown_commands(text: str) -> list[str]:
    """What a page's code types of our programs: each command on one line, without its comment."""
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S))
    code = fenced + "\n" + "\n".join(re.findall(r"^ {4}.*$", text, re.M))
    whole = re.sub(r"\\\n\s*", "", code)
    return re.findall(r"^ *(?:\S*/)?(dctwire(?:-[a-z]+)? (?!#).*?)(?: +#.*| \|.*)?$", whole, re.M)


def exists(line: str) -> bool:
    """Whether a command is one of ours, and takes every option that it is shown with."""
    program, *words = shlex.split(line)
    command: Any = typer.main.get_command(PROGRAMS[program])
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    always = {"--help", "-h", "--version"}
    reaching = {"--token-file", "--insecure"} if program == "dctwire" else set()
    return options <= known | always | reaching and (not hasattr(command, "commands") or bool(options & always))
