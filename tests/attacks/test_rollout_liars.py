"""Two in a hundred devices lie while a rollout is judged: in events, heartbeats and labels, and with what is no frame.

Two hundred devices over HTTP, and the real loop of a server whose clock is a fake one.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.attacks.rollout_scene import FAMILY, FRAMES, TICK_SECONDS, Scene, tell
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.timed import Camera

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("silent_servers")]

CAMERAS, LIARS = 200, 4
FRAMES_EACH = 3
COARSE: list[dict[str, Any]] = [
    {"kind": "bytes", "detects": 0.4},
    {"kind": "fallback", "limit": 0.02, "detects": 0.25},
    {"kind": "refusals", "limit": 0.02, "detects": 0.25},
    {"kind": "encode-time"},
]
LOOK_SECONDS = 3 * TICK_SECONDS
HALF = {"percent": 50, "min_devices": 60, "deadline_seconds": 4 * LOOK_SECONDS, "looks": 4}
EVERYBODY = {"percent": 100, "min_devices": 150, "deadline_seconds": 4 * LOOK_SECONDS}
BEAT: dict[str, Any] = {
    "program": "1",
    "boot": "0123456789abcdef",
    "boots": 1,
    "uptime_seconds": 1,
    "schemas": [1],
    "features": [],
    "spool": {"frames": 0, "bytes": 0, "dropped": 0},
}


async def beat(scene: Scene, camera: Camera, seconds: float) -> None:
    """Tell how long encoding takes."""
    active = {"target": f"{FAMILY}/{camera.running}.json", "tables": "00112233aabbccdd"}
    told = BEAT | {"active": active, "encode_seconds_median": seconds}
    assert await camera.say(scene.server, "POST", "/v1/heartbeat", told) == 204


async def label(scene: Scene, camera: Camera, answer: dict[str, Any], *, is_right: bool) -> None:
    """Tell what a frame of the camera really showed."""
    shown = answer["label"] if is_right else next(name for name in LABELS if name != answer["label"])
    told = {"label": shown, "source": "human"}
    assert await camera.say(scene.server, "PUT", f"/v1/frames/{answer['id']}/label", told) == 204


async def live(scene: Scene, camera: Camera, *, wrong_of_new: int | None = None) -> None:
    """What an honest camera does; of its frames under the new bundle so many were answered wrongly; None: not told."""
    await camera.ask(scene.server)
    for number in range(FRAMES_EACH):
        answer = await camera.post(scene.server, FRAMES[camera.running][number])
        assert answer.status_code == 200, answer.text
        if wrong_of_new is not None:
            await label(scene, camera, answer.json(), is_right=camera.running == 1 or number >= wrong_of_new)
    await beat(scene, camera, 0.02)


async def accuse(scene: Scene, camera: Camera) -> None:
    """What a camera does that speaks against the new bundle, whatever it is."""
    await camera.ask(scene.server)
    for number in range(FRAMES_EACH):
        answer = await camera.post(scene.server, FRAMES[camera.running][number])
        await label(scene, camera, answer.json(), is_right=camera.running == 1)
        if camera.running != 1:
            assert (await camera.post(scene.server, b"no jpeg")).status_code == 415
    await beat(scene, camera, 0.001 if camera.running == 1 else 900.0)
    await camera.tell(scene.server, "rolled-back", f"{FAMILY}/{camera.running}.json")


async def praise(scene: Scene, camera: Camera) -> None:
    """What a camera does that speaks for it."""
    await camera.ask(scene.server)
    for number in range(FRAMES_EACH):
        answer = await camera.post(scene.server, FRAMES[1 if camera.running == 3 else camera.running][number])
        await label(scene, camera, answer.json(), is_right=True)
    await beat(scene, camera, 0.001)
    await camera.tell(scene.server, "confirmed", f"{FAMILY}/{camera.running}.json")


def test_liars_do_not_stop_a_good_bundle(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([HALF | {"gates": COARSE}, EVERYBODY])
        for _ in range(2):
            for camera in scene.cameras[:LIARS]:
                await accuse(scene, camera)
            await scene.pass_time(TICK_SECONDS)  # they are the first to tell
            for camera in scene.cameras[LIARS:]:
                await live(scene, camera)
            await scene.pass_time(LOOK_SECONDS + TICK_SECONDS)
        seen = await scene.look(rollout)
        assert seen["state"] == "complete", seen["verdicts"]
        assert {verdict["opinion"] for verdict in seen["verdicts"]} == {"pass"}
        assert seen["devices"]["confirmed"] == CAMERAS - LIARS

    tell(tmp_path, story, cameras=CAMERAS)


@pytest.mark.parametrize("harm", ["bytes", "accuracy", "crash"])
def test_liars_do_not_save_a_bad_bundle(tmp_path: Path, harm: str) -> None:
    """It is stopped in its first stage, and every device has its old bundle again."""
    gates = {"bytes": COARSE, "accuracy": [{"kind": "accuracy"}], "crash": []}[harm]

    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([HALF | {"gates": gates}, EVERYBODY], counter=3 if harm == "bytes" else 2)
        for camera in scene.cameras[LIARS:]:
            await live(scene, camera, wrong_of_new=2 if harm == "accuracy" else None)
            if harm == "crash" and camera.running == 2:
                assert await camera.tell(scene.server, "rolled-back", f"{FAMILY}/2.json") == 204
        for camera in scene.cameras[:LIARS]:
            await praise(scene, camera)
        await scene.pass_time(LOOK_SECONDS + TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["stage"]) == ("rolling-back", 0), seen["verdicts"]
        failed = {verdict["gate"] for verdict in seen["verdicts"] if verdict["opinion"] == "fail"}
        assert failed == (set() if harm == "crash" else {harm})
        await scene.run(1)
        assert {camera.running for camera in scene.cameras} == {1}
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.look(rollout))["state"] == "rolled-back"

    tell(tmp_path, story, cameras=CAMERAS)
