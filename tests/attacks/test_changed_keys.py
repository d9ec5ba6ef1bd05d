"""Keys that come and go while cameras work: each camera follows the new ones by itself, and believes no others."""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import MetaFile
from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, initialise_trust, publish_folder
from harness.fault_proxy import FaultProxy
from sensor_client.capture import CaptureSettings
from sensor_client.clock import SystemClock
from sensor_client.parts import RunSettings, Surroundings, assembled
from sensor_client.policies import CaptureOrders
from sensor_client.sources import SourceHealth
from sensor_client.sources.folder import FolderCamera
from sensor_client.spool import SpoolLimits
from sensor_client.state_directory import StateDirectory
from sensor_client.uploader import UploadSettings
from shared.trust import ONLINE_ROLES, Role, load_keys
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field
from tests.attacks.forger import Forger
from tests.attacks.test_forged_metadata import Scene
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.waiting import wait_until

DAY_SECONDS = 86_400.0
HIGHEST_VERSION = 2**31 - 1


@contextlib.contextmanager
def scene_in(folder: Path) -> Iterator[Scene]:
    """A scene with a server of its own, whose keys change."""
    with contextlib.closing(Field(folder / "own")) as field, field.line() as line:
        family = field.family(50, 30)
        camera = field.camera(folder, family, line)
        camera.shoot(1)
        theirs = write_bundle(folder / "theirs", family, 3, tables(90), seed=3)
        yield Scene(field, line, camera, Forger(field, line, family), theirs)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Scene]:
    with scene_in(tmp_path) as scene:
        yield scene


def trust(field: Field, *words: str) -> None:
    """An operator types `dctwire trust ...`."""
    command = ["trust", *words, "--keys", str(field.harness.keys)]
    done = CliRunner().invoke(app, command, env=field.harness.as_operator)
    assert done.exit_code == 0, done.output


def rotate(field: Field, role: Role) -> None:
    """Put a new key in the place of a role's."""
    trust(field, "rotate", role, *(("--data", str(field.harness.data)) if role in ONLINE_ROLES else ()))


def root_version(camera: Camera) -> int:
    """Of the newest root that a camera trusts."""
    told = camera.status.trust
    return 0 if told is None else told.root_version


def test_fewer_sign_than_the_threshold_says(tmp_path: Path) -> None:
    """Two persons must sign a list; one of them, with all online keys and the line, lists a bundle of his own.

    The camera does not run it, and runs what both have signed.
    """
    folder = tmp_path / "own"
    initialise_trust(folder / "keys", folder / "data", datetime.now(UTC), thresholds={Role.TARGETS: 2})
    with scene_in(tmp_path) as scene:
        keys = load_keys(scene.field.harness.keys, Role.TARGETS)
        assert len(keys) == 2
        one_twice = scene.forger.keys | {Role.TARGETS: keys[:1] * 2}
        scene.forger.answer_with(scene.forger.chain_with(scene.theirs).signed(one_twice))
        scene.forger.assign(scene.theirs.target_path)
        scene.require_unharmed()


def test_a_revoked_targets_key_signs(own: Scene) -> None:
    """A targets key was stolen and is rotated; the thief, with all online keys and the line, lists a bundle of his own.

    The camera, which has not heard of the new root yet, follows it first, and does not run his bundle.
    """
    stolen = own.forger.keys
    rotate(own.field, Role.TARGETS)
    assert root_version(own.camera) == 1
    own.forger.answer_with(own.forger.chain_with(own.theirs).signed(stolen))
    own.forger.assign(own.theirs.target_path)
    own.require_unharmed()
    assert root_version(own.camera) > 1


@pytest.mark.system
def test_a_new_root_comes_with_the_next_assignment(own: Scene) -> None:
    """Keys are rotated while a camera works: it follows the new root when another bundle is assigned, and runs that."""
    with own.camera.running() as program:
        rotate(own.field, Role.TIMESTAMP)
        own.field.harness.assign(own.family, 2)
        with_2 = lambda: "v2" in own.field.answered(own.camera).values()  # noqa: E731
        program.wait_for(with_2, PATIENCE_SECONDS, "frames of version 2")
    assert root_version(own.camera) == 2


class HurriedClock(SystemClock):
    """A clock that can be moved on; waits take as long as ever."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def monotonic_seconds(self) -> float:
        return super().monotonic_seconds() + self.ahead_seconds


@contextlib.contextmanager
def working(camera: Camera, clock: HurriedClock) -> Iterator[None]:
    """All parts of a running camera, in this process, by a clock of ours; it asks for its assignment twice a second."""
    settings = RunSettings(
        state=StateDirectory(camera.state),
        camera=FolderCamera(camera.pictures, is_looping=True),
        source_health=SourceHealth(clock),
        capture=CaptureSettings(),
        orders=CaptureOrders(frames_per_second=10.0),
        upload=UploadSettings(),
        limits=SpoolLimits(),
        makes_probes=True,
        wants_results=False,
        poll_seconds=0.5,
    )
    around = Surroundings(clock=clock, random=lambda: 0.5, environment={}, program="0.0", boot=secrets.token_hex(8))
    with assembled(settings, around) as (sensor, _spool, signals):
        thread = threading.Thread(target=sensor.run, args=(lambda: None,))
        thread.start()
        try:
            yield
        finally:
            signals.request_stop()
            thread.join()


def test_a_new_root_comes_within_a_day_without_an_assignment(own: Scene) -> None:
    """Keys are rotated, and nothing is assigned for long: a working camera follows the new root after a day."""
    clock = HurriedClock()
    with working(own.camera, clock):
        rotate(own.field, Role.TIMESTAMP)
        asked = len(own.line.asked("/v1/assignment"))
        own.line.until(lambda: len(own.line.asked("/v1/assignment")) > asked + 2, PATIENCE_SECONDS)
        assert root_version(own.camera) == 1
        clock.ahead_seconds += 1.1 * DAY_SECONDS
        wait_until(lambda: root_version(own.camera) == 2, PATIENCE_SECONDS)


def test_stolen_online_keys_drive_the_versions_up(own: Scene) -> None:
    """Whoever has the online keys and the line tells a camera versions that nothing can follow, and it keeps them.

    Then nothing genuine is believed, but frames go on; once the online keys are rotated, the camera is well again.
    """
    chain = own.forger.genuine()
    chain.snapshot.version = chain.timestamp.version = HIGHEST_VERSION
    chain.snapshot.meta["targets.json"] = MetaFile(HIGHEST_VERSION)
    chain.timestamp.snapshot_meta = MetaFile(HIGHEST_VERSION)
    own.forger.answer_with(chain.signed(own.forger.keys))
    with own.camera.running() as program:
        asked = own.forger.asked_for_metadata()
        own.field.harness.assign(own.family, 2)
        own.line.until(lambda: own.forger.asked_for_metadata() > asked + 1, PATIENCE_SECONDS)
        own.forger.stop()
        asked = own.forger.asked_for_metadata()
        own.field.harness.assign(own.family, 2)
        own.line.until(lambda: own.forger.asked_for_metadata() > asked + 1, PATIENCE_SECONDS)
        during = len(own.field.answered(own.camera))
        more = lambda: len(own.field.answered(own.camera)) >= during + 10  # noqa: E731
        program.wait_for(more, PATIENCE_SECONDS, "frames under attack")
        assert own.camera.status.active_bundle == f"{own.family}/1"
        for role in ONLINE_ROLES:
            rotate(own.field, role)
        own.field.harness.assign(own.family, 2)
        with_2 = lambda: "v2" in own.field.answered(own.camera).values()  # noqa: E731
        program.wait_for(with_2, PATIENCE_SECONDS, "frames of version 2")


@pytest.mark.system  # it waits until the list has expired
def test_lists_that_were_signed_a_year_ago_are_renewed(field: Field, line: FaultProxy, tmp_path: Path) -> None:
    """Nobody published for a year, and the list has expired: the camera believes nothing of what is assigned.

    It takes pictures all the while. `dctwire trust renew` signs the list anew, and no other root is needed.
    """
    family = "asleep"
    signed_at = datetime.now(UTC) - timedelta(days=365) + timedelta(seconds=30)
    for counter, quality in ((1, 50), (2, 30)):
        publish_at(signed_at, field, family, counter, quality)
    field.harness.assign(family, 1)
    camera = field.camera(tmp_path, family, line)
    camera.shoot(1)
    wait_until(lambda: datetime.now(UTC) > signed_at + timedelta(days=365), PATIENCE_SECONDS)
    forger = Forger(field, line, family)
    with camera.running() as program:
        field.harness.assign(family, 2)
        line.until(lambda: forger.asked_for_metadata() > 2, PATIENCE_SECONDS)
        during = len(field.answered(camera))
        program.wait_for(lambda: len(field.answered(camera)) >= during + 10, PATIENCE_SECONDS, "frames meanwhile")
        assert camera.status.active_bundle == f"{family}/1"
        trust(field, "renew", family)
        field.harness.assign(family, 2)
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")
    assert root_version(camera) == 1


def publish_at(now: datetime, field: Field, family: str, counter: int, quality: float) -> None:
    """Publish a bundle as an operator did at another time."""
    folder = field.directory / f"{family}.{counter}"
    write_bundle(folder, family, counter, tables(quality), seed=counter)
    client = OperatorClient(field.harness.addresses["operator"], field.harness.admin_token)
    with contextlib.closing(client):
        publish_folder(client, ModelFolder.read(folder), field.harness.keys, now, lambda _step: None)
