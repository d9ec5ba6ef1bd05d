"""No token, code or secret of a whole life is in what a server writes: its log, its errors, its audit, its database."""

from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.operators.roles import Role
from tests.cloud_server.harness.devices import joining
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess

pytestmark = pytest.mark.stateless


class Life:
    """A server process, every secret that was made, and every answer that was not the one in which it was shown."""

    def __init__(self, folder: Path) -> None:
        self.server = ServerProcess(folder)
        self.harness = self.server.harness
        self.secrets = {self.harness.admin_token}
        self.said: list[str] = []

    def ask(self, client: httpx.Client, method: str, path: str, **arguments: object) -> httpx.Response:
        """Ask, and keep what is answered."""
        answer = client.request(method, path, **arguments)  # type: ignore[arg-type]
        self.said.append(f"{answer.headers} {answer.text}")
        return answer


def live(life: Life, bundle: Path) -> None:
    """Operators, tokens, devices and mistakes."""
    harness, admin = life.harness, life.harness.client("operator")
    harness.publish(bundle)
    admin.post("/v1/operators", json={"name": "ada", "role": "operator"})
    ada_token = admin.post("/v1/tokens", json={"operator": "ada"}).json()["token"]
    ada = harness.client("operator", headers={"authorization": f"Bearer {ada_token}"})
    rotated = ada.post("/v1/tokens/self/rotation", json={}).json()["token"]
    claim = ada.post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
    wanted = joining(claim)
    enrolled = harness.client("device").post("/v1/devices", json=wanted).json()
    life.secrets |= {ada_token, rotated, claim, wanted["secret"], enrolled["token"], enrolled["voucher"]}
    device = harness.client("device", headers={"authorization": f"Bearer {enrolled['token']}"})
    life.ask(device, "POST", "/v1/frames", content=frame(tables(50)), headers={"dw-sequence": "1"})
    for secret in sorted(life.secrets):
        life.ask(ada, "GET", "/v1/devices", headers={"authorization": f"Bearer {secret}x"})
        life.ask(ada, "GET", "/v1/devices", headers={"authorization": f"Basic {secret}"})
        life.ask(device, "GET", "/v1/assignment", headers={"authorization": f"Bearer {secret}x"})
    life.ask(ada, "PUT", f"/v1/devices/{enrolled['device_id']}/revocation")
    life.ask(ada, "GET", "/v1/tokens")
    life.ask(admin, "GET", "/v1/tokens")
    life.ask(admin, "GET", "/v1/operators")
    life.ask(admin, "GET", "/v1/devices")
    life.ask(admin, "GET", f"/v1/devices/{enrolled['device_id']}")
    life.ask(admin, "GET", "/v1/audit")
    life.ask(harness.client("ops"), "GET", "/metrics")
    for words in ("tokens list", "tokens revoke nope", "audit list", "audit export", "devices"):
        told = CliRunner().invoke(app, words.split(), env=harness.as_operator)
        life.said.append(told.output)


def test_no_secret_is_in_logs_errors_audit_metrics_or_the_database(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    life = Life(tmp_path)
    live(life, bundle_folders[1])
    harness = life.harness
    life.secrets.add(harness.admin_token)
    refused = harness.operator("eve", Role.VIEWER)
    life.ask(refused, "POST", "/v1/claims", json={"family": "digits"})
    life.server.process.terminate()
    log = life.server.finish()[1]
    database = b"".join(file.read_bytes() for file in harness.data.glob("dctwire.sqlite3*"))
    assert len(life.secrets) == 7
    for secret in life.secrets:
        assert secret not in log
        assert not [said for said in life.said if secret in said]
        assert secret.encode() not in database
        assert secret.removeprefix("dwo_").encode() not in database
