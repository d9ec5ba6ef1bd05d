"""Bundles that some cameras of `fleet` fetch and verify by the sensor's own code: its line, channel and TUF client."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fleet_cameras import Camera
from benchmarks.fleet_server import FleetServer
from benchmarks.untrained_bundle import FAMILY
from benchmarks.update_bytes import Joined
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine
from shared.trust import TrustClient
from shared.wire import Enrolment


class Updating:
    """What is needed for it; a context that closes the cameras' lines."""

    def __init__(self, server: FleetServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._clock = SystemClock()
        self._lines = ExitStack()

    def __enter__(self) -> "Updating":
        return self

    def __exit__(self, *_: Any) -> None:
        self._lines.close()

    def equip(self, camera: Camera) -> None:
        """Have a camera fetch bundles so."""
        line = self._lines.enter_context(HttpLine(self._server.running.addresses["device"], self._clock))
        joined = Joined(Enrolment(device_id=camera.public_id, token=camera.token, family=FAMILY))
        channel = DeviceChannel(
            line=line, access=joined, clock=self._clock, assignment_seen=lambda _number, _settings: None
        )
        state = self._folder / camera.public_id
        state.mkdir(parents=True)
        client = TrustClient(state, self._server.running.root, channel.fetch, FAMILY)
        camera.download = partial(_fetched, client)


def _fetched(client: TrustClient, target: str) -> bytes:
    return client.download(target).data
