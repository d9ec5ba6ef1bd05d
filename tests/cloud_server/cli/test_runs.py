"""`dctwire runs`: for people who ask and look, and for the trainer's service, which speaks by it alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

DOCUMENT: dict[str, Any] = {
    "reason": "One class was lost.",
    "parent": "digits/1",
    "data_digest": "0" * 64,
    "sources": {"base": 5000, "uploads": 900},
    "set_aside": [{"device": "k3v9x2mq", "why": "a third of its labels contradict the others"}],
    "verdicts": [
        {"gate": "accuracy", "opinion": "pass", "words": "It is better by 1.2 points."},
        {"gate": "per-class", "opinion": "refuse", "words": "It has lost the class seven."},
        {"gate": "int8", "opinion": "unknown", "words": "No twin was made."},
    ],
    "figures": [
        {"name": "accuracy on the holdout", "unit": "share", "value": 0.75, "low": 0.5, "high": 0.875, "n": 1000},
        {"name": "scan bytes a frame", "unit": "bytes", "value": 140.5},
    ],
    "cost": {"wall_seconds": 12.5, "cpu_seconds": 20, "peak_memory_bytes": 2000000},
    "commands": ["dctwire trust sign list.json --keys THEIRS"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server with a bundle that is assigned."""
    with server_in_thread(tmp_path_factory.mktemp("runs")) as harness:
        harness.publish(bundle_folders[1])
        harness.assign(FAMILY, 1)
        yield harness


def typed(server: ServerHarness, *words: str) -> Result:
    """Run `dctwire runs WORDS`."""
    return CliRunner().invoke(app, ["runs", *words], env=server.as_operator | {"COLUMNS": "200"})


def said(server: ServerHarness, *words: str) -> str:
    """What the command says to people."""
    told = typed(server, *words)
    assert told.exit_code == 0, told.output
    return told.stdout


def document(server: ServerHarness, *words: str) -> dict[str, Any]:
    """What the command says to programs."""
    found: dict[str, Any] = json.loads(said(server, *words, "--json"))
    return found


def test_a_training_is_asked_for_taken_told_of_and_ended_and_people_read_all_of_it(
    server: ServerHarness, tmp_path: Path
) -> None:
    asked = document(server, "ask", FAMILY, "--reason", "new lamps")
    run, worker = asked["id"], ("--worker", "trainer-1")
    assert "waits for a trainer" in said(server, "list")
    assert document(server, "take", FAMILY, "--trigger", "labels", *worker)["id"] == run
    told = said(server, "tell", run, *worker, "--stage", "train", "--share", "0.4", "--seconds", "60")
    assert told == f"Run {run}: under way by trainer-1: train, 40 % done.\n"
    shown = said(server, "show", run)
    assert "Because of: operator: new lamps" in shown and "to tell by" in shown
    file = tmp_path / "run.json"
    file.write_text(json.dumps(DOCUMENT))
    ended = said(server, "end", run, *worker, "--outcome", "refused", "--document", str(file))
    assert ended == f"Run {run} of {FAMILY} has ended: refused.\n"
    assert document(server, "end", run, *worker, "--outcome", "refused", "--document", str(file))["id"] == run
    shown = said(server, "show", run)
    for line in (
        "Why: One class was lost.",
        "ok    accuracy: It is better by 1.2 points.",
        "FAIL  per-class: It has lost the class seven.",
        "?     int8: No twin was made.",
        "accuracy on the holdout: 75.0 % (50.0 % to 87.5 %), n = 1000",
        "scan bytes a frame: 140.5 bytes",
        "Learned from 5000 base, 900 uploads",
        "Set aside k3v9x2mq: a third of its labels contradict the others",
        "Took 12 s, 20 s of CPU, 2 MB",
        "  dctwire trust sign list.json --keys THEIRS",
    ):
        assert f"\n{line}\n" in f"{shown}\n", shown
    assert document(server, "show", run)["document"]["figures"][1]["value"] == 140.5
    listed = said(server, "list", "--family", FAMILY, "--limit", "1")
    assert "refused by its gates" in listed and f"--after {run}" in listed
    assert document(server, "list", "--after", run)["runs"] == []


def test_what_a_program_says_of_its_errors_in_several_lines_is_stored_as_one(
    server: ServerHarness, tmp_path: Path
) -> None:
    run = document(server, "take", FAMILY, "--trigger", "drift", "--worker", "one")["id"]
    file = tmp_path / "run.json"
    aside = [{"device": "k3v9x2mq", "why": "odd\tlabels"}]
    file.write_text(json.dumps({"reason": "no\n  space is \x1b[31mleft\n", "set_aside": aside}))
    said(server, "end", run, "--worker", "one", "--outcome", "failed", "--document", str(file))
    stored = document(server, "show", run)["document"]
    assert (stored["reason"], stored["set_aside"][0]["why"]) == ("no space is \\x1b[31mleft", "odd labels")


def test_signals_are_told_to_people_and_to_programs(server: ServerHarness) -> None:
    shown = said(server, "signals", FAMILY)
    assert f"{FAMILY} runs v1" in shown and "Labels   0 new, 0 in all" in shown
    assert "not known, or too few frames are audited" in shown
    told = document(server, "signals", FAMILY)
    assert (told["family"], told["labels_total"], told["estimate_gap"]) == (FAMILY, 0, None)


def test_what_cannot_be_done_says_why_and_what_to_do(server: ServerHarness, tmp_path: Path) -> None:
    run = document(server, "take", FAMILY, "--trigger", "drift", "--worker", "one")["id"]
    busy = typed(server, "take", FAMILY, "--trigger", "drift", "--worker", "two", "--json")
    assert busy.exit_code == 1
    error = json.loads(busy.stdout)["error"]
    assert error["code"] == "conflict" and "one has it" in error["detail"] and "runs list" in error["next"]
    file = tmp_path / "run.json"
    for text, fault in (
        ("{", "is no JSON"),
        ("[]", "no JSON object"),
        ('{"a": 1}' + " " * 70_000, "64 KiB"),
        ('{"reason": NaN}', "is no JSON that can be sent"),
        ('{"figures": [{"value": 1e400}]}', "is no JSON that can be sent"),
        ('{"reason": "x", "\\ud800": 1}', "is no JSON that can be sent"),
        ("[" * 50_000, "is no JSON that can be sent"),
    ):
        file.write_text(text)
        told = typed(server, "end", run, "--worker", "one", "--outcome", "failed", "--document", str(file))
        assert told.exit_code == 1
        assert fault in " ".join(told.stderr.split()), told.stderr
    cancelled = said(server, "cancel", run)
    assert cancelled == f"Run {run} of {FAMILY} is cancelled.\n"
    lost = typed(server, "tell", run, "--worker", "one")
    assert lost.exit_code == 1
    assert "stop" in lost.stderr
    unknown = typed(server, "signals", "birds")
    assert unknown.exit_code == 1
    assert "dctwire bundles" in " ".join(unknown.stderr.split())


@pytest.mark.parametrize("name", ["../../x", "../../v1/login-codes?x=", "", "q3f8a2k1", "q3f8a2kdd", "aaaaaaaa\n"])
@pytest.mark.parametrize("command", [("show",), ("cancel",), ("tell", "--worker", "one")], ids=str)
def test_what_is_no_runs_name_is_asked_for_nowhere(server: ServerHarness, command: tuple[str, ...], name: str) -> None:
    told = typed(server, *command, "--", name)
    assert told.exit_code == 2
    assert "is no run's name" in " ".join(told.stderr.split())
