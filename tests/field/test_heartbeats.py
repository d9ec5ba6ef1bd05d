"""What an operator sees of a camera that is updated: its heartbeat, and what became of the update."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import run
from shared.wire import EventKind
from tests.attacks.field import PATIENCE_SECONDS, Field


def shown(field: Field, device_id: str, log: Path, *more: str) -> str:
    """What `dctwire devices show` says."""
    return run(("dctwire", "devices", "show", device_id, *more), log=log, env=field.harness.as_operator)


@pytest.mark.system  # a device reports at most once in ten seconds
def test_an_operator_is_shown_the_program_the_tables_and_that_an_update_was_confirmed(tmp_path: Path) -> None:
    """The update counts as confirmed with its third exact answer, and each step of it is told once."""
    with contextlib.closing(Field(tmp_path / "field")) as field, field.line() as line:
        family = field.family(50, 20)
        camera = field.camera(tmp_path, family, line)
        log = tmp_path / "operator.log"

        def document() -> dict[str, Any]:
            known: dict[str, Any] = json.loads(shown(field, camera.device_id, log, "--json"))
            return known

        def events() -> list[str]:
            return [event["event"] for event in document()["events"] if event["target"] == f"{family}/2.json"]

        with camera.running(rate=5) as program:
            program.wait_for(lambda: document()["heartbeat"], PATIENCE_SECONDS, "a first heartbeat")
            field.harness.assign(family, 2)
            program.wait_for(lambda: document()["outcome"] == "confirmed" and len(events()) > 1, 60, "the outcome")
            program.wait_for(
                lambda: (
                    (document()["heartbeat"]["active"] or {}).get("target") == f"{family}/2.json"
                    and document()["heartbeat"]["outcome"]["event"] == "confirmed"
                ),
                PATIENCE_SECONDS,
                "a heartbeat after the outcome",
            )
            assert sorted(events()) == [EventKind.CONFIRMED, EventKind.TRIAL]
        known = document()
        heartbeat = known["heartbeat"]
        assert heartbeat["program"] == known["program"]
        assert heartbeat["active"] == {"target": f"{family}/2.json", "tables": camera.status.tables_id}
        assert heartbeat["trial"] is None
        assert list(field.answered(camera).values()).count("v2") >= 3
        text = shown(field, camera.device_id, log)
        for words in (known["program"], f"{family}/2.json", "confirmed", "trial", str(camera.status.tables_id)):
            assert words in text, text
