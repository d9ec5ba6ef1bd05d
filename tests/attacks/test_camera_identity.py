"""Tokens, claims and labels that are not one's own: a camera stays who it is, and nobody speaks for another one."""

import json
import shutil
from pathlib import Path

import pytest

from harness.fault_proxy import FaultProxy
from harness.faults import AnswerItself, ProxiedReply
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode
from tests.attacks.damages import DAMAGES, Damage, emptied, files_of
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field, stories
from tests.cloud_server.harness.frames import frame, tables

OF_IDENTITY = ("identity", "secret", "root", "claim", "membership")
"""How the files begin that tell who a camera is and whom it believes."""


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that runs version 1; version 2 is published."""
    camera = field.camera(tmp_path, field.family(50, 30), line)
    camera.shoot(1)
    return camera


UNAUTHORISED = Problem.of(ProblemCode.INVALID_TOKEN, "no").model_dump_json().encode()
REFUSALS = {
    "as the server says it": ProxiedReply(401, {"content-type": PROBLEM_MEDIA_TYPE}, UNAUTHORISED),
    "as a proxy says it": ProxiedReply(401, {"www-authenticate": "Basic"}, b"Log in"),
}


@pytest.mark.parametrize("path", stories(["/v1/frames", "/v1/assignment", "/v1/heartbeat"], "/v1/frames"))
@pytest.mark.parametrize("refusal", stories(REFUSALS, "as the server says it"))
def test_one_401_comes(field: Field, line: FaultProxy, camera: Camera, refusal: str, path: str) -> None:
    """One request is answered 401, by a server in the middle of a restore or by anybody else.

    The camera takes pictures all the while, comes back by itself, and loses nothing.
    """
    line.add(path, AnswerItself(lambda request: REFUSALS[refusal]), times=1)
    with camera.delivering(40):
        pass
    field.require_nothing_lost(camera)


FORGED = {
    "another id": {"device_id": "zzzzzzzz"},
    "an id that is none": {"device_id": "EVIL!!"},
    "another family": {"family": "other"},
    "a family that is none": {"family": "NO SUCH/FAMILY"},
    "another token": {"token": "A" * 22},
    "another voucher": {"voucher": "A" * 43},
}


@pytest.mark.parametrize("story", stories(FORGED, "another id", "another token", "another voucher"))
def test_an_enrolment_is_forged(field: Field, line: FaultProxy, camera: Camera, story: str) -> None:
    """One forged 401, then one forged 201 to the enrolment that the camera repeats.

    The camera stays who it is, delivers everything, and nothing of the forged answer is on its disk.
    """
    file = camera.state / "identity.json"
    before = file.read_bytes()
    forged = json.dumps(json.loads(before)["enrolment"] | FORGED[story]).encode()
    lie = ProxiedReply(201, {"content-type": "application/json"}, forged)
    line.add("/v1/devices", AnswerItself(lambda request: lie), times=1)
    line.add("/v1/frames", AnswerItself(lambda request: REFUSALS["as the server says it"]), times=1)
    with camera.delivering(40):
        pass
    assert file.read_bytes() == before
    field.require_nothing_lost(camera)


def of_identity(state: Path) -> list[Path]:
    """The files that tell who a camera is, as they are found."""
    return [file for file in files_of(state) if file.parent == state and file.name.startswith(OF_IDENTITY)]


QUICK = (emptied,)


@pytest.mark.parametrize(
    "damage", [pytest.param(damage, marks=() if damage in QUICK else pytest.mark.system) for damage in DAMAGES]
)
def test_any_one_file_of_identity_is_damaged(field: Field, camera: Camera, damage: Damage) -> None:
    """A power cut leaves one file damaged that tells who the camera is, one after the other.

    At each start it is the same camera, takes pictures, and delivers them.
    """
    device_id = camera.device_id
    for file in of_identity(camera.state):
        damage(file)
        camera.shoot(1)
        assert camera.device_id == device_id, file
    field.require_nothing_lost(camera)


@pytest.mark.system
def test_a_card_is_copied_into_a_second_camera(field: Field, line: FaultProxy, camera: Camera, tmp_path: Path) -> None:
    """Somebody copies a camera's whole state into a second one, and both take pictures under one identity.

    No number is acknowledged for two contents, nobody's frame is lost, and the operator sees the mark.
    """
    other = Camera(tmp_path / "copy", camera.pictures / "B", tmp_path / "copy.log")
    shutil.copytree(camera.state, other.state, symlinks=True)
    before = len(field.answered(camera))
    for _ in range(3):
        camera.shoot(3)
        other.shoot(2)
    assert len(field.answered(camera)) - before == 3 * (3 + 2)
    row = field.harness.client("operator").get(f"/v1/devices/{camera.device_id}").json()
    assert row["suspected_clone"] is not None


def test_feedback_is_forged(field: Field, line: FaultProxy, camera: Camera) -> None:
    """An enrolled camera tells labels of another one's frames, of frames that are none, and events that never were.

    All of it is refused, and no label of the other one's frames is kept.
    """
    family = str(camera.status.family)
    attacker = field.harness.enrol(family)
    assert attacker.post(frame(tables(50), 1)).status_code == 200
    label = json.dumps({"label": "A", "source": "human"})
    (number,) = field.answered(camera)
    names = (f"{camera.device_id}.{number}", f"{attacker.device_id}.99", "x", f"{attacker.device_id}.-1", "..%2f..")
    json_type = {"content-type": "application/json"}
    told = [attacker.http.put(f"/v1/frames/{name}/label", content=label, headers=json_type) for name in names]
    assert all(400 <= answer.status_code < 500 for answer in told), told
    event = json.dumps({"event": "confirmed", "target": f"{family}/2.json"})
    for seq in (1, 2**63 - 1):
        answer = attacker.http.post(f"/v1/assignments/{seq}/events", content=event, headers=json_type)
        assert answer.status_code == 404
    with field.harness.database() as database:
        rows = database.exec_driver_sql(
            "SELECT count(*) FROM labels WHERE device_id = (SELECT id FROM devices WHERE public_id = ?)",
            (camera.device_id,),
        )
        assert rows.scalar() == 0


def test_a_revoked_camera_goes_on_taking_pictures(field: Field, line: FaultProxy, camera: Camera) -> None:
    """An operator revokes a camera by mistake, and restores it a while later.

    It takes pictures all the while, asks seldom, and delivers everything once it is let in again.
    """
    operator, device = field.harness.client("operator"), f"/v1/devices/{camera.device_id}/revocation"
    assert operator.put(device).status_code == 200
    with camera.running() as program:
        refused = lambda: camera.status.counters["encoded"] >= 20  # noqa: E731
        program.wait_for(refused, PATIENCE_SECONDS, "pictures of a revoked camera")
        asked = len(line.requests)
        taken = camera.status.counters["encoded"]
        program.wait_for(lambda: camera.status.counters["encoded"] >= taken + 40, PATIENCE_SECONDS, "more pictures")
        assert len(line.requests) - asked <= 6
    assert operator.delete(device).status_code == 200
    camera.shoot(1)
    field.require_nothing_lost(camera)
