"""Damaged files of a camera: whatever a power cut or worn-out flash leaves, it takes pictures and finds back."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.processes import Running
from tests.attacks.damages import DAMAGES, Damage, files_of
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field

OF_UPDATES = ("trust/", "bundles/", "update-state.json")
"""What updates keep; the rest of the state directory is identity and spool."""


@dataclass
class Patient:
    """A camera that is damaged again and again; the bundles 1 and 2 take turns as the assigned one."""

    field: Field
    camera: Camera
    family: str
    counter: int = 1

    def assign_the_other(self) -> None:
        """From now on, the other bundle is the assigned one."""
        self.counter = 3 - self.counter
        self.field.harness.assign(self.family, self.counter)

    def recovers(self, program: Running) -> None:
        """Wait until it runs the assigned bundle, and has uploaded frames with it that are answered."""
        before = len(self.answered())
        is_back = lambda: self.runs_the_assigned() and len(self.answered()) > before  # noqa: E731
        program.wait_for(is_back, PATIENCE_SECONDS, f"frames with bundle {self.counter}")

    def runs_the_assigned(self) -> bool:
        """Whether its active slot holds the assigned bundle."""
        return self.camera.status.active_bundle == f"{self.family}/{self.counter}"

    def answered(self) -> list[int]:
        """The numbers of its frames that were answered with the assigned bundle's tables."""
        tables = f"v{self.counter}"
        return [number for number, name in self.field.answered(self.camera).items() if name == tables]


@pytest.fixture(scope="module")
def patient(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    family = field.family(50, 30)
    with field.line() as line:
        patient = Patient(field, field.camera(tmp_path_factory.mktemp("patient"), family, line), family)
        for _ in range(2):  # both slots are in use
            with patient.camera.running() as program:
                patient.recovers(program)
            patient.assign_the_other()
        with patient.camera.running() as program:
            patient.recovers(program)
        yield patient


def of_updates(state: Path) -> list[Path]:
    """Every file that updates keep, as they are found."""
    return [file for file in files_of(state) if str(file.relative_to(state)).startswith(OF_UPDATES)]


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_updates_is_damaged_at_once_and_the_next_bundle_comes(patient: Patient, damage: Damage) -> None:
    """A power cut leaves no file whole that updates keep, and another bundle is assigned meanwhile.

    The next start takes pictures, and ends with the bundle that is assigned.
    """
    for file in of_updates(patient.camera.state):
        damage(file)
    patient.assign_the_other()
    with patient.camera.running() as program:
        patient.recovers(program)


def but_the_spool(state: Path) -> list[Path]:
    """Every file but those of the spool, as they are found."""
    return [file for file in files_of(state) if not file.name.startswith("spool.")]


@pytest.mark.system
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_single_file_is_damaged_and_the_camera_is_what_it_was(patient: Patient, damage: Damage) -> None:
    """A power cut leaves one file damaged, one after the other of all that a camera has but for its spool.

    Each time, the next start takes pictures under the same name and ends with the bundle that is assigned, which is
    another one every second time.
    """
    device_id = patient.camera.device_id
    for index, file in enumerate(but_the_spool(patient.camera.state)):
        if not (file.is_symlink() or file.is_file()):  # it went with one that was mended
            continue
        damage(file)
        if index % 2:
            patient.assign_the_other()
        with patient.camera.running() as program:
            patient.recovers(program)
        assert patient.camera.device_id == device_id, file


@pytest.mark.system
@pytest.mark.timeout(600)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_is_damaged_under_a_running_camera(patient: Patient, damage: Damage) -> None:
    """All files but the spool's are damaged while the camera runs, of what is kept twice one, and a bundle is assigned.

    It goes on taking pictures and runs what is assigned, now and after its next start.
    """
    device_id = patient.camera.device_id
    with patient.camera.running() as program:
        patient.recovers(program)
        for file in but_the_spool(patient.camera.state):
            if not file.stem.endswith("-copy"):
                damage(file)
        patient.assign_the_other()
        patient.recovers(program)
    with patient.camera.running() as program:
        patient.recovers(program)
    assert patient.camera.device_id == device_id
