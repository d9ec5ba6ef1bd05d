"""A trainer's service as the server sees it: it takes trainings, and ends them."""

from typing import Any

from tests.cloud_server.harness.server import ServerHarness

REFUSED: dict[str, Any] = {
    "reason": "One class was lost.",
    "parent": "digits/1",
    "verdicts": [
        {"gate": "accuracy", "opinion": "pass", "words": "It is better by 1.2 points."},
        {"gate": "per-class", "opinion": "refuse", "words": "It has lost the class seven."},
    ],
    "figures": [{"name": "accuracy", "unit": "share", "value": 0.75, "low": 0.5, "high": 0.875, "n": 1000}],
    "sources": {"base": 5000, "uploads": 900},
    "set_aside": [{"device": "k3v9x2mq", "why": "a third of its labels contradict the others"}],
    "cost": {"wall_seconds": 90.0, "cpu_seconds": 80.0, "peak_memory_bytes": 2_000_000},
}
"""What is told of a training whose gates did not all hold."""
WORKER = "trainer-1"


def take(server: ServerHarness, family: str) -> str:
    """Have the family's training that is open, or a new one; its name."""
    asked = {"family": family, "trigger": "labels", "worker": WORKER, "seconds": 120}
    answer = server.client("operator").post("/v1/runs/take", json=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def refuse(server: ServerHarness, run: str) -> None:
    """End a training as refused."""
    _end(server, run, "refused", REFUSED)


def fail(server: ServerHarness, run: str) -> None:
    """End a training as failed."""
    _end(server, run, "failed", {"reason": "no space is left"})


def train(server: ServerHarness, family: str) -> str:
    """End a training as refused, and begin the next one, which is under way then; the name of the former."""
    run = take(server, family)
    refuse(server, run)
    take(server, family)
    return run


def _end(server: ServerHarness, run: str, outcome: str, document: dict[str, Any]) -> None:
    told = {"worker": WORKER, "outcome": outcome, "document": document}
    answer = server.client("operator").post(f"/v1/runs/{run}/end", json=told)
    assert answer.status_code == 200, answer.text
