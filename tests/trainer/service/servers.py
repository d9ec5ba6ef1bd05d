"""A server for the service's tests, and what reaches it: a token of the role trainer, `dctwire`, settings."""

import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.operators.roles import Role
from tests.cloud_server.harness.server import ServerHarness
from trainer.service.configuration import ServiceSettings
from trainer.service.operator_program import OperatorProgram

DCTWIRE = str(Path(sys.executable).with_name("dctwire"))


def typed(server: ServerHarness, *words: str | Path) -> str:
    """Run `dctwire WORDS` as the first admin; what it says."""
    done = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200"} | server.as_operator)
    assert done.exit_code == 0, done.output
    return done.stdout


def token(server: ServerHarness, folder: Path, role: Role = Role.TRAINER) -> Path:
    """The token file of an operator of a role, who is named after it."""
    file = folder / f"{role.value}.token"
    if not file.exists():
        typed(server, "operators", "add", role.value, role.value)
        typed(server, "tokens", "create", role.value, "--out", file)
    return file


def dctwire(server: ServerHarness, folder: Path, role: Role = Role.TRAINER) -> OperatorProgram:
    """`dctwire` as the service runs it."""
    return OperatorProgram(DCTWIRE, server.addresses["operator"], token(server, folder, role), False, lambda: False)


def settings(server: ServerHarness, folder: Path, **changes: Any) -> ServiceSettings:
    """What a service of family digits is told."""
    usual: dict[str, Any] = {
        "server": server.addresses["operator"],
        "token_file": token(server, folder),
        "keys": server.keys,
        "data": folder / "trainings",
        "families": {"digits": {"champion": folder / "run", "bundle": folder / "v1"}},
    }
    return ServiceSettings.model_validate(usual | changes)
