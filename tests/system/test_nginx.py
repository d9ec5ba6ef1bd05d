"""A real nginx in front of a real server: a camera reaches it over HTTP/2, and knows it by an authority of its own."""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.processes import Running
from sensor_client.app import app
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field
from tests.cloud_server.harness.certificates import write_certificate
from tests.ports import free_ports
from tests.system_packages import required

pytestmark = pytest.mark.system

CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    log_format connections '$connection $server_protocol $request_method $uri $status';
    access_log {folder}/access.log connections;
    client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl {http2};
        ssl_certificate {certificate}; ssl_certificate_key {key};
        client_max_body_size 16m;
        location / {{
            proxy_pass {device_plane}; proxy_http_version 1.1;
            proxy_set_header Host $http_host; proxy_set_header Connection "";
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, device_plane: str, port: int, http2: str) -> Iterator[Path]:
    """The program in front of the device plane; gives its certificate."""
    certificate, key = write_certificate(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder, port=port, http2=http2, certificate=certificate, key=key, device_plane=device_plane
        )
    )
    command = (str(shutil.which("nginx")), "-c", str(configuration), "-p", str(folder), "-e", f"{folder}/error.log")
    with Running(command, folder / "nginx.log") as program:
        program.wait_for(lambda: listens(port), PATIENCE_SECONDS, "nginx listens")
        yield certificate


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("offered", "spoken"), [("http2", "HTTP/2.0"), ("", "HTTP/1.1")])
def test_a_camera_speaks_http2_through_nginx_on_one_connection_and_believes_its_own_authority_alone(
    tmp_path: Path, offered: str, spoken: str
) -> None:
    required("nginx")
    [port] = free_ports(1)
    folder = tmp_path / "nginx"
    with contextlib.closing(Field(tmp_path)) as field:
        family = field.family(50)
        code = field.harness.client("operator").post("/v1/claims", json={"family": family}).json()["claim_code"]
        with nginx(folder, field.harness.addresses["device"], port, offered) as certificate:
            camera = Camera(tmp_path / "camera", field.pictures, tmp_path / "camera.log")
            words = ["enrol", "--server", f"https://127.0.0.1:{port}", "--claim", code, "--state", str(camera.state)]
            app(
                [*words, "--root", str(field.harness.keys / "root.json"), "--ca", str(certificate)],
                standalone_mode=False,
            )

            camera.shoot(40, "--batch", 8, "--linger", 0.2, "--rate", 40)

            field.require_nothing_lost(camera)
        asked = [line.split() for line in (folder / "access.log").read_text().splitlines()]
        uploads = [line for line in asked if line[3].startswith("/v1/frames")]
        assert {(protocol, status) for _, protocol, _, _, status in uploads} == {(spoken, "204")}
        assert len({connection for connection, *_ in uploads}) == 1 and len(uploads) >= 5
        sent = camera.status.traffic_sent
        assert sent["frames"] > camera.status.counters["acknowledged_bytes"] / 2

        with nginx(folder, field.harness.addresses["device"], port, offered), camera.running() as program:
            program.wait_for(
                lambda: "CERTIFICATE_VERIFY_FAILED" in camera.log.read_text(), PATIENCE_SECONDS, "a refusal"
            )
        assert camera.status.spooled_frames > 0 and len(field.answered(camera)) == 40
