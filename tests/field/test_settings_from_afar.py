"""Settings from afar, end to end: an operator's command, a server, and a camera that does as it is told."""

import contextlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from harness.processes import ProgramError, run
from tests.attacks.field import PATIENCE_SECONDS, Field

pytestmark = pytest.mark.system


def test_a_running_camera_follows_what_an_operator_sets_and_removes_without_a_restart(tmp_path: Path) -> None:
    with contextlib.closing(Field(tmp_path / "field")) as field, field.line() as line:
        family = field.family(50)
        camera = field.camera(tmp_path, family, line)
        log = tmp_path / "operator.log"

        def operate(*words: str) -> Any:
            said = run(("dctwire", *words, "--json"), log=log, env=field.harness.as_operator)
            return json.loads(said)

        def in_effect() -> Any:
            known = operate("devices", "show", camera.device_id)
            return ((known["heartbeat"] or {}).get("settings") or {}).get("in_effect")

        keys = str(field.harness.keys)
        with camera.running(rate=5) as program:
            program.wait_for(
                lambda: operate("devices", "show", camera.device_id)["heartbeat"], PATIENCE_SECONDS, "a first heartbeat"
            )
            made = operate("settings", "set", family, "--batch", "4", "--rate", "2", "--keys", keys)
            program.wait_for(lambda: in_effect() == made["counter"], 60, "settings in effect")
            operate("settings", "remove", family)
            program.wait_for(lambda: in_effect() is None, 60, "settings that are withdrawn")
            operate("devices", "diagnose", camera.device_id)
            out = tmp_path / "camera.tar.gz"
            fetch = ("dctwire", "devices", "diagnostics", camera.device_id, "--out", str(out), "--json")

            def is_fetched() -> bool:
                with contextlib.suppress(ProgramError):
                    run(fetch, log=log, env=field.harness.as_operator)
                return out.exists()

            program.wait_for(is_fetched, 60, "diagnostics")
        with tarfile.open(out) as tar:
            files = {entry.name: (tar.extractfile(entry) or io.BytesIO()).read().decode() for entry in tar}
        names = ("status", "heartbeat", "configuration", "versions", "doctor")
        assert set(files) == {"log.jsonl", *(f"{name}.json" for name in names)}
        assert "settings-in-effect" in files["log.jsonl"] and camera.device_id in files["status.json"]
        identity = json.loads((camera.state / "identity.json").read_text())
        secrets = (identity["enrolment"]["token"], identity["enrolment"]["voucher"], identity["secret"])
        for secret in (*secrets, identity["claim_code"]):
            assert secret and not any(secret in text for text in files.values())
