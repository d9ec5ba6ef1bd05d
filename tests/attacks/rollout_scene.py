"""A family on real servers whose clock a test moves, and the story of one of its rollouts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Embedded, Engine
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import server_in_thread
from tests.cloud_server.harness.timed import Camera, MovedClock, TimedServer

FAMILY = "digits"
TABLES = {1: tables(50), 2: tables(45), 3: tables(92)}
FRAMES = {counter: [frame(these, seed) for seed in range(8)] for counter, these in TABLES.items()}
TICK_SECONDS = 20.0
STORY_SECONDS = 240.0
Story = Callable[["Scene"], Awaitable[None]]


@dataclass
class Scene:
    """A family that runs its first bundle on some cameras, and the server processes of a story."""

    folder: Path
    engine: Engine
    cameras: list[Camera]
    clock: MovedClock = field(default_factory=lambda: MovedClock(time.time()))
    servers: list[TimedServer] = field(default_factory=list)

    async def start(self, **changes: Any) -> TimedServer:
        """Start a process."""
        data = self.folder / "data"
        self.servers.append(await TimedServer.started(data, self.clock, **self.engine.settings(data), **changes))
        return self.servers[-1]

    @property
    def server(self) -> TimedServer:
        """The process that was the first."""
        return self.servers[0]

    async def begin(self, stages: list[dict[str, Any]], counter: int = 2, **changes: Any) -> str:
        """Begin a rollout, and come to its first stage."""
        plan = {"stages": stages, **changes}
        wanted = {"family": FAMILY, "counter": counter, "plan": plan}
        answer = await self.server.operator.post("/v1/rollouts", json=wanted)
        assert answer.status_code == 201, answer.text
        name: str = answer.json()["id"]
        await self.pass_time(2 * TICK_SECONDS)
        return name

    async def look(self, rollout: str) -> dict[str, Any]:
        """A rollout in full."""
        document: dict[str, Any] = (await self.server.operator.get(f"/v1/rollouts/{rollout}")).json()
        return document

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and every process do its work meanwhile."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.seconds += TICK_SECONDS
            for server in self.servers:
                await server.tick()

    async def run(self, frames: int, cameras: list[Camera] | None = None) -> None:
        """Let cameras ask what to run, and post so many frames of that."""
        for camera in self.cameras if cameras is None else cameras:
            await camera.ask(self.server)
            for number in range(frames):
                answer = await camera.post(self.server, FRAMES[camera.running][number % 8])
                assert answer.status_code == 200, answer.text


def tell(
    folder: Path, story: Story, *, cameras: int = 4, engine: Engine | None = None, also: Iterable[Path] = ()
) -> None:
    """Tell a story with servers in this process.

    Args:
        also: further bundles that are published.
    """
    state = engine or Embedded()
    for counter, these in TABLES.items():
        write_bundle(folder / f"v{counter}", FAMILY, counter, these, seed=counter)
    with server_in_thread(folder, state) as harness:
        for bundle in (*(folder / f"v{counter}" for counter in TABLES), *also):
            harness.publish(bundle)
        harness.assign(FAMILY, 1)
        made = [harness.enrol(FAMILY) for _ in range(cameras)]
        scene = Scene(folder, state, [Camera(device.device_id, device.token) for device in made])

    async def all_of_it() -> None:
        try:
            await story(scene)
        finally:
            for server in scene.servers:
                await server.end()

    asyncio.run(asyncio.wait_for(all_of_it(), STORY_SECONDS))
