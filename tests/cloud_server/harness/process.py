"""The server as a process of its own, to be stopped or killed."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cloud_server.cli.publishing import initialise_trust
from tests.cloud_server.harness.engines import Given
from tests.cloud_server.harness.server import EMBEDDED, FREE_PORTS, ServerHarness


class ServerProcess:
    """`dctwire-server run` as a process of its own, to be stopped or killed.

    Args:
        around: more variables; `changes` are made to its settings.
    """

    def __init__(self, directory: Path, around: Mapping[str, str] = MappingProxyType({}), /, **changes: Any) -> None:
        data, keys = directory / "data", directory / "keys"
        if not data.exists():
            initialise_trust(keys, data, datetime.now(UTC))
            if "database_url" not in changes:
                EMBEDDED.prepare(data)
        command = [sys.executable, "-c", "from cloud_server.command import main; main()", "run", "--data", str(data)]
        changed = {**FREE_PORTS, "drain_delay_seconds": 0, **changes}
        environment = {f"DCTWIRE_SERVER_{name.upper()}": str(value) for name, value in changed.items()}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, **around},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.finish()[1])
        self.harness = ServerHarness(data, keys, json.loads(line), Given(changes))

    def kill(self) -> None:
        """SIGKILL, now."""
        self.process.kill()
        self.finish()

    def terminate(self) -> int:
        """SIGTERM, and the exit status once it has drained."""
        self.process.terminate()
        self.finish()
        return self.process.returncode

    def await_event(self, event: str) -> None:
        """Read the log up to a line of this event."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if json.loads(line)["event"] == event:
                return
        raise AssertionError(f"the log ends without {event}")

    def finish(self) -> tuple[str, str]:
        """Wait for the end and close the pipes."""
        if hasattr(self, "harness"):
            self.harness.close()
        return self.process.communicate(timeout=60)
