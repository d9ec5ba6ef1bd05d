"""A camera and a server that speaks TLS by itself: enrolled and updated, and brought to another authority."""

import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.attacks.field import PATIENCE_SECONDS, Camera, Field
from tests.cloud_server.harness.certificates import write_certificate
from tests.cloud_server.harness.waiting import wait_until
from tests.sensor_client.program import sensor


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of the server, which signs itself."""
    return write_certificate(tmp_path / "tls")[0]


@pytest.fixture
def field(tmp_path: Path, authority: Path) -> Iterator[Field]:
    """A server whose device plane speaks TLS."""
    settings = {"tls_certificate": authority, "tls_key": authority.with_name("key.pem")}
    with contextlib.closing(Field(tmp_path / "field", **settings)) as field:
        assert field.harness.addresses["device"].startswith("https://")
        yield field


def enrol(field: Field, camera: Camera, code: str, authority: Path | None) -> "subprocess.CompletedProcess[str]":
    """Enrol the camera, as a person does."""
    root, server = field.harness.keys / "root.json", field.harness.addresses["device"]
    command = ("enrol", "--server", server, "--claim", code, "--state", camera.state, "--root", root)
    return sensor(*command, *(() if authority is None else ("--ca", authority)))


@pytest.mark.system  # several runs of the program
def test_a_camera_is_enrolled_and_updated_over_tls_and_follows_its_server_to_another_authority(
    field: Field, authority: Path, tmp_path: Path
) -> None:
    """A wrong authority costs no claim code. Until the camera knows the new one no frame leaves it; none is lost."""
    family = field.family(50, 20)
    code = field.harness.client("operator").post("/v1/claims", json={"family": family}).json()["claim_code"]
    camera = Camera(tmp_path / "camera", field.pictures, tmp_path / "camera.log")
    for wrong in (write_certificate(tmp_path / "other", "other")[0], None):
        refused = enrol(field, camera, code, wrong)
        assert (refused.returncode, "certificate verify failed" in refused.stderr) == (5, True), refused.stderr
        assert "Traceback" not in refused.stderr
    enrolled = enrol(field, camera, code, authority)
    assert (enrolled.returncode, "enrolled in family" in enrolled.stdout) == (0, True), enrolled.stderr

    camera.shoot(3)
    assert set(field.answered(camera).values()) == {"v1"}
    field.harness.assign(family, 2)
    with camera.running() as program:
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")

    write_certificate(authority.parent, "renewed")
    renewed = ssl.create_default_context(cafile=str(authority))
    wait_until(lambda: answers(field, renewed))
    before = len(field.answered(camera))
    with camera.running() as program:
        program.wait_for(lambda: "certificate verify failed" in camera.log.read_text(), PATIENCE_SECONDS, "its reason")
    assert len(field.answered(camera)) == before
    assert camera.status.spooled_frames > 0
    again = enrol(field, camera, code, authority)
    assert (again.returncode, "was enrolled already" in again.stdout) == (0, True), again.stderr
    camera.shoot(3)
    field.require_nothing_lost(camera)


def answers(field: Field, trusted: ssl.SSLContext) -> bool:
    """Whether the server shows a certificate that `trusted` vouches for."""
    try:
        httpx.get(field.harness.addresses["device"] + "/openapi.json", verify=trusted)
    except httpx.ConnectError:
        return False
    return True
