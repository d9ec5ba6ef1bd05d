"""Server processes whose clock a test moves, and whose works are done when it says so: over real sockets and files."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cloud_server.api.ops.plane import Gauges
from cloud_server.health import Health
from cloud_server.open_storage import keys_of
from cloud_server.operators.first_admin import make_first_admin
from cloud_server.operators.token_file import TOKEN_FILE
from cloud_server.parts import Clocks, Parts
from cloud_server.planes import Planes
from cloud_server.registry.server_keys import ServerKeys
from tests.cloud_server.harness.server import NO_TLS, settings

NO_GAUGES = Gauges(on_loop=lambda: None, in_thread=lambda: None)


@dataclass
class MovedClock:
    """A wall clock that shows what a test says."""

    seconds: float

    def now(self) -> float:
        """Seconds since 1970."""
        return self.seconds

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        return int(self.seconds * 1e9)


class TimedServer:
    """One server process on the running event loop; any number of them share a data folder, as replicas a database."""

    def __init__(self, data: Path, clock: MovedClock, **changes: Any) -> None:
        mine = settings(data, **changes)
        clocks = Clocks(now=clock.now, now_ns=clock.now_ns, monotonic=time.monotonic)
        self.parts = Parts(mine, ServerKeys(keys_of(mine)), clocks, asyncio.get_running_loop())
        self.planes = Planes(mine, self.parts, Health(is_started=True), None, NO_GAUGES, clocks)
        self._data = data

    @classmethod
    async def started(cls, data: Path, clock: MovedClock, **changes: Any) -> "TimedServer":
        """One that has loaded and listens, as the composition root has it."""
        server = cls(data, clock, **changes)
        await server._start()
        return server

    async def _start(self) -> None:
        parts = self.parts
        await parts.signed_files.initialise()
        await parts.devices.load()
        await make_first_admin(parts.operators, self._data)
        await parts.operators.follow()
        await parts.assignments.load()
        for listener in (self.planes.ops, self.planes.device, self.planes.operator):
            await listener.start()
        await parts.routing.load()
        await parts.signed_files.refresh()
        await parts.replicas.note(parts.routing.serves())
        at = self.planes.addresses()
        token = (self._data / TOKEN_FILE).read_text().strip()
        admin = {"authorization": f"Bearer {token}"}
        self.device = httpx.AsyncClient(base_url=at["device"], timeout=30, verify=NO_TLS)
        self.operator = httpx.AsyncClient(base_url=at["operator"], timeout=30, verify=NO_TLS, headers=admin)

    async def tick(self) -> None:
        """Do what is done every second, and every five."""
        await self.follow()
        await self.parts.rollouts.tick()
        await self.follow()

    async def follow(self) -> None:
        """Take over what others wrote, and write what was noted here."""
        await self.parts.routing.sync()
        await self.parts.assignments.load()
        await self.parts.replicas.note(self.parts.routing.serves())
        await self.parts.devices.save()
        await self.parts.rollout_counts.save()

    async def end(self) -> None:
        """Drain, and let another process have the leases."""
        for client in (self.device, self.operator):
            await client.aclose()
        for listener in (self.planes.device, self.planes.operator, self.planes.ops):
            await listener.drain()
        await self.parts.replicas.leave()
        await asyncio.to_thread(self.parts.close)


@dataclass
class Camera:
    """An enrolled device, which asks whichever process it is given: what it runs, and the number of its next frame."""

    device_id: str
    token: str
    running: int = 1
    seq: int = 1
    next_frame: int = 0
    held: set[str] = field(default_factory=set)

    async def ask(self, server: TimedServer) -> None:
        """Ask what to run, and run it from now on."""
        told = await server.device.get("/v1/assignment", headers=self._headers)
        assert told.status_code == 200, told.text
        self.running, self.seq = told.json()["counter"], told.json()["seq"]

    async def post(self, server: TimedServer, data: bytes) -> httpx.Response:
        """Upload a frame; a refused one goes on having its number."""
        headers = self._headers | {"dw-sequence": str(self.next_frame), "content-type": "image/jpeg"}
        answer = await server.device.post("/v1/frames", content=data, headers=headers)
        self.next_frame += answer.status_code == 200
        return answer

    async def tell(self, server: TimedServer, event: str, target: str) -> int:
        """Tell what became of a bundle under the assignment that it was given last."""
        body = {"event": event, "target": target}
        answer = await server.device.post(f"/v1/assignments/{self.seq}/events", json=body, headers=self._headers)
        return answer.status_code

    async def say(self, server: TimedServer, method: str, path: str, body: dict[str, Any]) -> int:
        """Anything else, as this device."""
        return (await server.device.request(method, path, json=body, headers=self._headers)).status_code

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}
