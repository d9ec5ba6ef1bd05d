"""Forged, old and mixed metadata: a camera runs what the right keys signed for it, and nothing else, and goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.fault_proxy import FaultProxy
from shared.bundle import Bundle
from shared.trust import Role
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field, stories
from tests.attacks.forger import Files, Forger, past, stranger
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables


@dataclass
class Scene:
    """A camera that runs version 1; version 2 is published, and version 3 is the attacker's own."""

    field: Field
    line: FaultProxy
    camera: Camera
    forger: Forger
    theirs: Bundle

    @property
    def family(self) -> str:
        return self.forger.family

    def require_unharmed(self, looks: int = 1) -> None:
        """Run the camera under attack: it looks at what it is told and stays with version 1, and frames go on.

        Then the line is honest, the server publishes and assigns another version, and the camera runs it.
        """
        before = self.forger.asked_for_metadata()
        with self.camera.running() as program:
            self.line.until(lambda: self.forger.asked_for_metadata() >= before + looks)
            during = len(self.field.answered(self.camera))
            more = lambda: len(self.field.answered(self.camera)) >= during + 10  # noqa: E731
            program.wait_for(more, PATIENCE_SECONDS, "frames under attack")
            assert self.camera.status.active_bundle == f"{self.family}/1"
            self.forger.stop()
            for counter, quality in ((4, 40), (5, 20)):  # two: the attack may have used a version number up
                self.field.publish(self.family, counter, quality)
            self.field.harness.assign(self.family, 5)
            with_5 = lambda: "v5" in self.field.answered(self.camera).values()  # noqa: E731
            program.wait_for(with_5, PATIENCE_SECONDS, "frames of version 5")
        assert set(self.field.answered(self.camera).values()) == {"v1", "v5"}


@pytest.fixture
def scene(field: Field, line: FaultProxy, tmp_path: Path) -> Scene:
    family = field.family(50, 30)
    camera = field.camera(tmp_path, family, line)
    camera.shoot(1)
    theirs = write_bundle(tmp_path / "theirs", family, 3, tables(90), seed=3)
    return Scene(field, line, camera, Forger(field, line, family), theirs)


def by_a_stranger(scene: Scene) -> Files:
    keys = {role: [stranger()] for role in Role}
    return scene.forger.chain_with(scene.theirs).signed(keys)


def by_who_has_the_server(scene: Scene) -> Files:
    keys = scene.forger.keys | {Role.TARGETS: scene.forger.keys[Role.SNAPSHOT]}
    return scene.forger.chain_with(scene.theirs).signed(keys)


def by_who_has_the_targets_key(scene: Scene) -> Files:
    keys = scene.forger.keys | {Role.SNAPSHOT: [stranger()], Role.TIMESTAMP: [stranger()]}
    return scene.forger.chain_with(scene.theirs).signed(keys)


def without_signatures(scene: Scene) -> Files:
    return scene.forger.chain_with(scene.theirs).signed({role: [] for role in Role})


def changed_after_it_was_signed(scene: Scene) -> Files:
    files = scene.forger.chain_with(scene.theirs).signed(scene.forger.keys)
    (name,) = [name for name in files if name.endswith("targets.json")]
    return files | {name: files[name].replace(b'"signed_at"', b'"signed_AT"')}


def of_another_family(scene: Scene) -> Files:
    other = scene.field.family(90, 80, 70)
    chain = scene.forger.genuine(other)
    chain.family = scene.family
    chain.raise_versions(1000)
    chain.bundles[f"{scene.family}/{'0' * 64}.3.json"] = scene.theirs.to_bytes()
    return chain.signed(scene.forger.keys)


def targets_of_another_family(scene: Scene) -> Files:
    other = scene.forger.genuine(scene.field.family(90, 80, 70))
    chain = scene.forger.genuine()
    chain.targets = other.targets
    chain.raise_versions()
    return chain.signed(scene.forger.keys)


def with_expired_timestamp(scene: Scene) -> Files:
    chain = scene.forger.chain_with(scene.theirs)
    chain.timestamp.expires = past(days=1)
    return chain.signed(scene.forger.keys)


def with_expired_snapshot(scene: Scene) -> Files:
    chain = scene.forger.chain_with(scene.theirs)
    chain.timestamp.version -= 1  # what is kept of it must not be in the server's way
    chain.snapshot.expires = past(days=1)
    return chain.signed(scene.forger.keys)


def with_targets_that_expired_a_year_ago(scene: Scene) -> Files:
    chain = scene.forger.chain_with(scene.theirs)
    chain.targets.expires = past(days=365)
    return chain.signed(scene.forger.keys)


def larger_than_any(scene: Scene) -> Files:
    chain = scene.forger.chain_with(scene.theirs)
    chain.targets.unrecognized_fields["padding"] = "x" * (3 << 19)
    return chain.signed(scene.forger.keys)


def garbage(scene: Scene) -> Files:
    files = scene.forger.chain_with(scene.theirs).signed(scene.forger.keys)
    return {name: b"\x1f\x8b" + bytes(2000) for name in files}


def deeper_than_any(scene: Scene) -> Files:
    files = scene.forger.chain_with(scene.theirs).signed(scene.forger.keys)
    return dict.fromkeys(files, b'{"signed":' * 3000)


Attack = Callable[[Scene], Files]
FORGED: dict[str, Attack] = {
    attack.__name__.replace("_", " "): attack
    for attack in (
        by_a_stranger,
        by_who_has_the_server,
        by_who_has_the_targets_key,
        without_signatures,
        changed_after_it_was_signed,
        of_another_family,
        targets_of_another_family,
        with_expired_timestamp,
        with_expired_snapshot,
        with_targets_that_expired_a_year_ago,
        larger_than_any,
        garbage,
        deeper_than_any,
    )
}


@pytest.mark.parametrize(
    "forged", stories(FORGED, "by a stranger", "by who has the server", "of another family", "with expired timestamp")
)
def test_metadata_are_forged(scene: Scene, forged: str) -> None:
    """Whoever holds the line, and some keys, answers with metadata that list a bundle of his own, and assigns it.

    The camera does not run it, frames go on, and the next bundle that the right keys signed is run.
    """
    scene.forger.answer_with(FORGED[forged](scene))
    scene.forger.assign(scene.theirs.target_path)
    scene.require_unharmed()


def test_old_metadata_are_told_again(scene: Scene) -> None:
    """Whoever holds the line tells the camera what was true before a bundle with a higher floor was published.

    The camera has seen the newer ones, and goes back to none of them.
    """
    old = scene.forger.files_now()
    scene.field.publish(scene.family, 4, 20)
    scene.field.harness.assign(scene.family, 4)
    with scene.camera.running() as program:
        runs_4 = lambda: "v4" in scene.field.answered(scene.camera).values()  # noqa: E731
        program.wait_for(runs_4, PATIENCE_SECONDS, "frames of version 4")
        scene.forger.answer_with(old)
        scene.forger.assign(f"{scene.family}/2.json")
        before = scene.forger.asked_for_metadata()
        scene.line.until(lambda: scene.forger.asked_for_metadata() > before)
        during = len(scene.field.answered(scene.camera))
        more = lambda: len(scene.field.answered(scene.camera)) >= during + 10  # noqa: E731
        program.wait_for(more, PATIENCE_SECONDS, "frames under attack")
        assert scene.camera.status.active_bundle == f"{scene.family}/4"
        scene.forger.stop()
        scene.field.harness.assign(scene.family, 1)
        back = lambda: scene.camera.status.active_bundle == f"{scene.family}/1"  # noqa: E731
        program.wait_for(back, PATIENCE_SECONDS, "what is assigned now")


def test_new_metadata_are_kept_from_the_camera(scene: Scene) -> None:
    """Whoever holds the line freezes the camera: it is told the old metadata for ever, while version 4 is assigned.

    Nothing stops, and version 4 is run once the line is honest, without another assignment.
    """
    frozen = scene.forger.files_now()
    scene.forger.answer_with(frozen)
    scene.field.publish(scene.family, 4, 20)
    scene.field.harness.assign(scene.family, 4)
    before = scene.forger.asked_for_metadata()
    with scene.camera.running() as program:
        scene.line.until(lambda: scene.forger.asked_for_metadata() > before)
        during = len(scene.field.answered(scene.camera))
        more = lambda: len(scene.field.answered(scene.camera)) >= during + 10  # noqa: E731
        program.wait_for(more, PATIENCE_SECONDS, "frames under attack")
        scene.forger.stop()
        runs_4 = lambda: "v4" in scene.field.answered(scene.camera).values()  # noqa: E731
        program.wait_for(runs_4, PATIENCE_SECONDS, "frames of version 4")


def test_the_bytes_of_a_bundle_are_changed(scene: Scene) -> None:
    """Whoever holds the line answers with other bytes of the same length in place of the bundle that is assigned.

    They are not run; the true ones are, once they come.
    """
    entry = scene.forger.genuine().targets.targets[f"{scene.family}/2.json"]
    name = f"{scene.family}/{entry.hashes['sha256']}.2.json"
    true = scene.forger.fetch(name)
    scene.forger.answer_with({name: true.replace(b"noise", b"n0ise")})
    scene.field.harness.assign(scene.family, 2)
    with scene.camera.running() as program:
        scene.line.until(lambda: bool(scene.line.asked(f"/tuf/{name}")))
        during = len(scene.field.answered(scene.camera))
        more = lambda: len(scene.field.answered(scene.camera)) >= during + 10  # noqa: E731
        program.wait_for(more, PATIENCE_SECONDS, "frames under attack")
        assert scene.camera.status.active_bundle == f"{scene.family}/1"
        scene.forger.stop()
        runs_2 = lambda: "v2" in scene.field.answered(scene.camera).values()  # noqa: E731
        program.wait_for(runs_2, PATIENCE_SECONDS, "frames of version 2")
