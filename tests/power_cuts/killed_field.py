"""A camera and its server, both killed again and again, and a line between them that does what bad networks do.

Both are the real programs, the server with SQLite. At every other kill the power goes, too: what the program finds when
it starts again is what a disk may show then.
"""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
import sqlalchemy

from cloud_server.cli.publishing import initialise_trust
from cloud_server.inference.frames import Frame, scan_digest
from harness.tcp_fault_proxy import TcpFaultProxy, by_chance
from harness.tcp_faults import Pass
from sensor_client.app import app
from sensor_client.state_directory import StateDirectory
from sensor_client.status import Status, read_status
from shared.jpeg import inspect
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.waiting import wait_until
from tests.power_cuts.disk import Disk, cut_power
from tests.power_cuts.journal import build_shim, noting, read_steps
from tests.power_cuts.ledger import Accepted
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.program import environment

FAMILY = "killed"
FRAMES_A_SECOND = 30
HONEST_SHARE = 0.4
EARLY_SHARE = 0.2
"""Of the kills of the camera: so many come while it starts, the others once it has accepted a frame."""
START_SECONDS, LIVES_SECONDS = 0.6, 0.8
FRAME_SECONDS = 60.0
DRAIN_SECONDS = 180.0
SERVER_SHARE = 0.15
"""Of the kills; the others are the camera's."""


class KilledField:
    """Everything in one folder, by one seed; a context."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._chance = folder, Random(seed)
        self._shim = build_shim(folder)
        self._root, self._journal, self._log = folder / "camera", folder / "journal", folder / "log"
        self._data, self._server_journal = folder / "data", folder / "server-journal"
        self._root.mkdir()
        self._pictures = write_pictures(folder / "pictures", 20)
        initialise_trust(folder / "keys", self._data, datetime.now(UTC))
        self._server = self._served()
        self._starting = threading.Thread()
        faults = Random(seed + 1)
        self.proxy = TcpFaultProxy(self._address(), lambda: by_chance(faults, HONEST_SHARE))
        self.kills = dict.fromkeys(("camera", "camera's power", "server", "server's power"), 0)

    def __enter__(self) -> "KilledField":
        self.proxy.__enter__()
        self._enrol()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._camera.poll() is None:
            self._camera.kill()
            self._camera.wait()
        self.proxy.__exit__(None, None, None)
        self._until_served()
        self._server.kill()

    def kill(self) -> None:
        """Kill one of the two, at a moment of chance, and start it again."""
        if self._chance.random() < SERVER_SHARE:
            self._kill_server()
        else:
            self._kill_camera()

    def drain(self) -> None:
        """Let the last camera end in order once the line is honest and everything is delivered."""
        self._end_camera(has_power=True)
        self._until_served()
        self.proxy.choose_by(Pass)
        self._start("--count", 1, "--exit-when-drained")
        assert self._camera.wait(DRAIN_SECONDS) == 0, self._log.read_text()[-3000:]

    @property
    def accepted(self) -> Accepted:
        """What the camera's spool accepted, all its lives long."""
        return Accepted.of(self._ledger())

    @property
    def status(self) -> Status:
        """The camera's."""
        return read_status(StateDirectory(self._root / "state"))

    def answered(self) -> dict[int, int]:
        """The digest of the frame that the server has under each number."""
        with self._server.harness.database() as database:
            rows = database.execute(sqlalchemy.text("SELECT sequence, scan_digest FROM results WHERE kind IS NULL"))
            return {int(sequence): int(digest) for sequence, digest in rows}

    def counted(self) -> int:
        """How many frames the server's sums say it answered."""
        with self._server.harness.database() as database:
            return int(database.execute(sqlalchemy.text("SELECT sum(frames) FROM hourly_answers")).scalar() or 0)

    def _served(self) -> ServerProcess:
        self._server_journal.unlink(missing_ok=True)
        self._server_disk = Disk(self._data)
        noted = noting(self._shim, self._data, self._server_journal)
        return ServerProcess(self._folder, noted, threads=1, quota_frames_per_second=1e6)

    def _address(self) -> tuple[str, int]:
        url = httpx.URL(self._server.harness.addresses["device"])
        return url.host, url.port or 80

    def _enrol(self) -> None:
        """Publish a bundle and let the camera join, over an honest line."""
        harness = self._server.harness
        write_bundle(self._folder / "bundle", FAMILY, 1, tables(50))
        harness.publish(self._folder / "bundle")
        harness.assign(FAMILY, 1)
        code = harness.client("operator").post("/v1/claims", json={"family": FAMILY}).json()["claim_code"]
        where = ("--server", harness.addresses["device"], "--claim", code, "--root", str(harness.keys / "root.json"))
        state = self._root / "state"
        app(("enrol", "--state", str(state), *where), standalone_mode=False)
        identity = state / "identity.json"
        for path in (identity, *state.rglob("*identity*")):
            if path.is_file():
                path.write_text(path.read_text().replace(harness.addresses["device"], self.proxy.url))

    def _start(self, *more: object) -> None:
        self._journal.unlink(missing_ok=True)
        self._disk, self._said_bytes = Disk(self._root), len(self._ledger())
        words = ("run", "--state", self._root / "state", "--source", self._pictures, "--rate", FRAMES_A_SECOND)
        how = ("--batch", self._chance.choice((1, 4, 16)), "--linger", 0.2, "--no-probes", "--log-level", "warning")
        around = environment(
            **noting(self._shim, self._root, self._journal), LEDGER=str(self._root / "ledger"), PYTHONWARNINGS="ignore"
        )
        command = [sys.executable, "-m", "tests.power_cuts.camera_program", *map(str, (*words, *how, *more))]
        with self._log.open("ab") as log:
            self._camera = subprocess.Popen(command, stdout=log, stderr=log, env=around)

    def _kill_camera(self) -> None:
        if self._chance.random() < EARLY_SHARE:
            threading.Event().wait(self._chance.uniform(0, START_SECONDS))
        else:
            wait_until(lambda: len(self._ledger()) > self._said_bytes or self._camera.poll() is not None, FRAME_SECONDS)
            threading.Event().wait(self._chance.uniform(0, LIVES_SECONDS))
        self._end_camera(has_power=self.kills["camera"] % 2 == 0)
        self.kills["camera"] += 1
        self._start()

    def _end_camera(self, *, has_power: bool) -> None:
        assert self._camera.poll() is None, self._log.read_text()[-3000:]
        self._camera.kill()
        self._camera.wait()
        if has_power:
            return
        said = self._ledger()  # paper
        cut_power(self._root, self._disk, read_steps(self._journal), self._chance)
        (self._root / "ledger").write_bytes(said)
        self.kills["camera's power"] += 1

    def _ledger(self) -> bytes:
        path = self._root / "ledger"
        return path.read_bytes() if path.exists() else b""

    def _kill_server(self) -> None:
        self._until_served()
        self._server.kill()
        if self.kills["server"] % 2:
            cut_power(self._data, self._server_disk, read_steps(self._server_journal), self._chance)
            self.kills["server's power"] += 1
        self.kills["server"] += 1
        self._starting = threading.Thread(target=self._serve_again)
        self._starting.start()

    def _serve_again(self) -> None:
        self._server = self._served()
        self.proxy.point_at(self._address())

    def _until_served(self) -> None:
        if self._starting.ident is not None:
            self._starting.join()


def digest_of(body: bytes) -> int:
    """What the server notes of a frame's scan."""
    return scan_digest(Frame(None, body), inspect(body).scan_bytes)
