"""The door to `dctwire`: what is typed, what its answers mean, and that it never outlives who asked."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.service.operator_program import (
    AskedToStopError,
    NotReachedError,
    OperatorProgram,
    OperatorProgramError,
    RefusalError,
)

Make = Callable[..., OperatorProgram]


@pytest.fixture
def program(tmp_path: Path) -> Make:
    """A program in the place of `dctwire`, from the body of its Python script."""

    def make(body: str, *, insecure: bool = False, is_stopped: Callable[[], bool] = lambda: False) -> OperatorProgram:
        file = tmp_path / "dctwire"
        file.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
        file.chmod(0o755)
        return OperatorProgram(str(file), "http://127.0.0.1:1", tmp_path / "token", insecure, is_stopped)

    return make


def test_words_are_followed_by_the_way_to_the_server(program: Make, tmp_path: Path) -> None:
    told = program("print(json.dumps({'words': sys.argv[1:]}))").ask("runs", "show", "k3vq7x2a")
    reaching = ["--server", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token"), "--json"]
    assert told["words"] == ["runs", "show", "k3vq7x2a", *reaching]
    assert program("print(json.dumps({'words': sys.argv[1:]}))", insecure=True).ask("x")["words"][-1] == "--insecure"


def refusal(code: str, detail: str = "it is so") -> str:
    return f"print(json.dumps({{'error': {{'code': {code!r}, 'detail': {detail!r}, 'next': 'do this'}}}})); sys.exit(1)"


def test_a_refusal_carries_its_code_and_what_to_do(program: Make) -> None:
    with pytest.raises(RefusalError, match=r"it is so \(conflict\)") as caught:
        program(refusal("conflict")).ask("runs", "take")
    assert (caught.value.code, caught.value.next_step) == ("conflict", "do this")


@pytest.mark.parametrize("code", ["unreachable", "unreachable-by-proxy", "no-tls", "not-ready", "queue-full"])
def test_what_may_be_otherwise_in_a_moment_is_no_refusal(program: Make, code: str) -> None:
    with pytest.raises(NotReachedError, match="it is so"):
        program(refusal(code)).ask("runs", "take")


def test_a_server_that_is_broken_is_not_reached(program: Make) -> None:
    with pytest.raises(NotReachedError):
        program(refusal("", "502 : no gateway")).ask("runs", "take")


@pytest.mark.parametrize(
    "body",
    [
        "print('hello')",
        "print('[]')",
        "sys.exit(3)",
        "print('{}'); sys.exit(1)",
        refusal("conflict").replace("sys.exit(1)", ""),
        "print('no such option: --worker', file=sys.stderr); sys.exit(2)",
    ],
)
def test_what_is_no_answer_of_dctwire_is_an_error_of_the_program(program: Make, body: str) -> None:
    with pytest.raises(OperatorProgramError, match="runs ended with status"):
        program(body).ask("runs", "list")


def test_a_program_that_is_not_there_says_where_to_name_it() -> None:
    with pytest.raises(OperatorProgramError, match=r"`program` in service.toml"):
        OperatorProgram("/nowhere/dctwire", "", Path("token"), False, lambda: False).ask("runs")


def test_who_is_asked_to_stop_does_not_wait_for_a_command_and_leaves_none_behind(program: Make, tmp_path: Path) -> None:
    body = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    stopping = program(body, is_stopped=(tmp_path / "pid").exists)
    with pytest.raises(AskedToStopError):
        stopping.ask("publish")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_command_that_hangs_is_given_up(program: Make) -> None:
    began = time.monotonic()
    with pytest.raises(NotReachedError, match=r"did not end within 0\.6 s"):
        program("time.sleep(600)").ask("publish", seconds=0.6)
    assert time.monotonic() - began < 60


def test_a_large_answer_does_not_block(program: Make) -> None:
    told = program("print(json.dumps({'x': 'y' * 1_000_000})); print('z' * 1_000_000, file=sys.stderr)").ask("list")
    assert len(told["x"]) == 1_000_000
