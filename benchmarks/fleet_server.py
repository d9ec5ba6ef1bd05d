"""The server of `fleet`: a process on a core of its own, three bundles, and a fleet that is enrolled already.

The rows of the devices are written by the code that enrolment writes them with, into the database of the server before
it starts: one by one, ten thousand devices would take minutes to join, and joining is not what is measured.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import codec_pictures
from benchmarks.pinned_server import PinnedServer
from benchmarks.untrained_bundle import FAMILY, write_untrained
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.fleet.secrets import new_device_id, token_sha256
from cloud_server.rollout.plan import Plan
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.devices import JoiningRow, add_device
from shared.bundle import Bundle
from trainer.models import DctNetConfig

SERVER_CORE = 0
MAX_SECONDS = 60.0
OLD, GOOD, BAD = 1, 2, 3
QUALITIES = {OLD: 50, GOOD: 45, BAD: 64}
"""IJG's, of each bundle's steps: the good one saves some 6 % of bytes, the bad one costs 30 % more than that one."""
SHAPE = DctNetConfig(classes=10, widths=(16, 32))
"""A small net: what a rollout costs is to be seen beside it."""
PICTURES_PX = 32


class FleetServer:
    """The running server, its bundles published, the old one assigned; a context that stops it.

    Args:
        folder: for the bundles.
        devices: how many are enrolled.
    """

    def __init__(self, folder: Path, devices: int) -> None:
        self.enrolled = [(new_device_id(), secrets.token_urlsafe(16)) for _ in range(devices)]
        self.pictures = codec_pictures.pictures(PICTURES_PX)
        self.bundles = {counter: self._bundle(folder / str(counter), counter) for counter in QUALITIES}
        self.running = PinnedServer(SERVER_CORE, prepare=partial(write_devices, self.enrolled, FAMILY))
        for counter in QUALITIES:
            self.running.publish(folder / str(counter))
        self.running.assign(FAMILY, OLD)

    def __enter__(self) -> "FleetServer":
        return self

    def __exit__(self, *of_error: Any) -> None:
        self.running.__exit__(*of_error)

    def start(self, counter: int, plan: Plan) -> str:
        """Begin a rollout; returns its name."""
        asked = {"family": FAMILY, "counter": counter, "plan": plan.model_dump(mode="json")}
        return str(self._asked(lambda client: client.post("/v1/rollouts", asked))["id"])

    def steer(self, rollout: str, command: str) -> None:
        """Pause a rollout, or whatever else operators do."""
        self._asked(lambda client: client.post(f"/v1/rollouts/{rollout}/{command}", {}))

    def rollout(self, rollout: str) -> dict[str, Any]:
        """Where a rollout stands."""
        return self._asked(lambda client: client.get(f"/v1/rollouts/{rollout}"))

    def _asked(self, ask: Callable[[OperatorClient], Any]) -> dict[str, Any]:
        with closing(self.running.operator()) as client:
            answer: dict[str, Any] = ask(client)
            return answer

    def _bundle(self, folder: Path, counter: int) -> Bundle:
        write_untrained(folder, self.pictures, counter=counter, quality=QUALITIES[counter], shape=SHAPE)
        return Bundle.from_bytes((folder / "bundle.json").read_bytes())


def write_devices(devices: Sequence[tuple[str, str]], family: str, _keys: Path, data: Path) -> None:
    """Write the rows of devices, each an id and its token, into the database of a server that does not run yet."""
    engine, now = open_engine(None, data, MAX_SECONDS), time.time()
    migrate(engine)
    with engine.begin() as connection:
        for public_id, token in devices:
            joining = JoiningRow(secrets.token_bytes(32), secrets.token_bytes(32))
            add_device(connection, public_id, family, token_sha256(token), joining, now)
    engine.dispose()
