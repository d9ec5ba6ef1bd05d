"""`dctwire operators` and `dctwire tokens`, and a token's way from a file to the server."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from tests.cloud_server.harness.console import stranger
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of this test's own, which others call by a name as well."""
    with server_in_thread(tmp_path / "server", operator_hosts="operators.example") as harness:
        yield harness


def typed(server: ServerHarness, *words: str | Path, **variables: str) -> Result:
    """Run `dctwire WORDS`, as the first admin unless variables say otherwise."""
    environment = {"COLUMNS": "200"} | (variables or server.as_operator)
    return CliRunner().invoke(app, [str(word) for word in words], env=environment)


def test_an_admin_makes_an_operator_with_a_token_who_rotates_it_and_is_disabled(
    server: ServerHarness, tmp_path: Path
) -> None:
    token = tmp_path / "new" / "folder" / "token"
    assert (
        "Next: dctwire operators password ada (the console), dctwire tokens create ada (programs)"
        in typed(server, "operators", "add", "ada", "operator").stdout
    )
    assert typed(server, "tokens", "create", "ada", "--out", token).stdout == f"{token}\n"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    first = token.read_text()
    as_ada = ["--token-file", str(token), "--server", server.addresses["operator"]]
    assert len(typed(server, "claim", "digits", *as_ada).stdout.strip()) == 14
    refused = typed(server, "operators", "list", *as_ada)
    assert "the role admin; ada is operator" in refused.stderr
    assert "Next: Ask an admin" in refused.stderr
    assert typed(server, "tokens", "rotate", "--overlap-hours", "0", "--out", token, *as_ada).exit_code == 0
    assert token.read_text() != first
    assert typed(server, "bundles", *as_ada).exit_code == 0
    listed = json.loads(typed(server, "tokens", "list", "--operator", "ada", "--json").stdout)["tokens"]
    assert len(listed) == 2
    assert typed(server, "operators", "role", "ada", "viewer").stdout == "ada is viewer.\n"
    assert typed(server, "operators", "disable", "ada").exit_code == 0
    assert "ada was disabled" in typed(server, "bundles", *as_ada).stderr
    assert typed(server, "operators", "enable", "ada").exit_code == 0
    assert typed(server, "tokens", "revoke", listed[0]["id"]).exit_code == 0
    assert "was revoked" in typed(server, "bundles", *as_ada).stderr
    rows = json.loads(typed(server, "operators", "list", "--json").stdout)["operators"]
    assert [(row["name"], row["role"]) for row in rows] == [("ada", "viewer"), ("admin", "admin")]


def test_a_file_that_is_there_is_not_written_over_and_no_token_is_made_for_it(
    server: ServerHarness, tmp_path: Path
) -> None:
    typed(server, "operators", "add", "ada", "operator")
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_text("precious")
    link.symlink_to(tmp_path / "nowhere")
    for out in (there, link, tmp_path):
        for words in (("create", "ada"), ("rotate",)):
            refused = typed(server, "tokens", *words, "--out", out)
            assert refused.exit_code == 1 and f"{out} exists already" in refused.stderr
            assert "Next: Name another file" in refused.stderr
    assert there.read_text() == "precious" and not (tmp_path / "nowhere").exists()
    assert len(json.loads(typed(server, "tokens", "list", "--json").stdout)["tokens"]) == 1


def test_a_refused_token_leaves_no_file(server: ServerHarness, tmp_path: Path) -> None:
    assert typed(server, "tokens", "create", "nobody", "--out", tmp_path / "token").exit_code == 1
    assert not (tmp_path / "token").exists()


def test_whoever_rotates_the_token_of_a_file_may_write_the_new_one_over_it_and_over_no_other(
    server: ServerHarness, tmp_path: Path
) -> None:
    typed(server, "operators", "add", "ada", "operator")
    token, other = tmp_path / "token", tmp_path / "other"
    listed = [typed(server, "tokens", "create", "ada", "--out", out) and out.read_text() for out in (token, other)]
    as_ada = ["--token-file", str(token), "--server", server.addresses["operator"]]
    assert typed(server, "tokens", "rotate", "--out", other, *as_ada).exit_code == 1
    assert typed(server, "tokens", "rotate", "--out", token, *as_ada).exit_code == 0
    assert token.read_text() != listed[0] and other.read_text() == listed[1]
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["other", "token"]


def test_a_token_that_never_expires_is_warned_of(server: ServerHarness) -> None:
    typed(server, "operators", "add", "robot", "trainer")
    assert "until it is revoked" in typed(server, "tokens", "create", "robot", "--no-expiry").stderr


def test_the_last_admin_stays(server: ServerHarness) -> None:
    refused = typed(server, "operators", "disable", "admin")
    assert (refused.exit_code, "the last admin" in refused.stderr) == (1, True)


def test_without_a_token_the_error_says_where_the_first_admins_lies(server: ServerHarness, tmp_path: Path) -> None:
    refused = typed(server, "bundles", DCTWIRE_OPERATOR_URL=server.addresses["operator"], HOME=str(tmp_path))
    assert refused.exit_code == 1
    assert "DATA/admin-token" in refused.stderr and "--token-file" in refused.stderr


def test_a_token_is_found_in_its_order_of_places(server: ServerHarness, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "DCTWIRE_OPERATOR_URL": server.addresses["operator"]}
    default, wrong = tmp_path / ".config" / "dctwire" / "token", tmp_path / "wrong"
    default.parent.mkdir(parents=True)
    default.write_text(server.admin_token)
    default.chmod(0o600)
    wrong.write_text("dwo_wrong\n")
    wrong.chmod(0o600)
    assert typed(server, "bundles", **home).exit_code == 0
    assert typed(server, "bundles", **home, DCTWIRE_OPERATOR_TOKEN="dwo_wrong").exit_code == 1
    named = {"DCTWIRE_OPERATOR_TOKEN": "dwo_wrong", "DCTWIRE_OPERATOR_TOKEN_FILE": str(default)}
    assert typed(server, "bundles", **home, **named).exit_code == 0
    assert typed(server, "bundles", "--token-file", wrong, **home, **named).exit_code == 1


def test_a_file_that_others_can_read_is_warned_of_and_used(server: ServerHarness, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(server.admin_token)
    token.chmod(0o644)
    told = typed(server, "bundles", "--token-file", token)
    assert (told.exit_code, f"chmod 600 {token}" in told.stderr) == (0, True)


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"a\nb"], ids=repr)
def test_a_file_that_holds_no_token_is_told_by_its_name_without_what_it_holds(
    server: ServerHarness, tmp_path: Path, content: bytes
) -> None:
    token = tmp_path / "token"
    token.write_bytes(content)
    refused = typed(server, "bundles", "--token-file", token)
    assert isinstance(refused.exception, SystemExit)
    assert str(token) in refused.stderr and "two words" not in refused.stderr
    assert "no token can be read" in typed(server, "bundles", "--token-file", tmp_path).stderr


def test_a_token_leaves_this_machine_over_tls_alone_unless_somebody_insists(server: ServerHarness) -> None:
    far = ["--server", "http://operators.example:8001"]
    refused = typed(server, "bundles", *far)
    assert "over plain HTTP" in refused.stderr
    assert "ssh -N -L 8001:127.0.0.1:8001 HOST" in refused.stderr and "https://" in refused.stderr
    insisted = typed(server, "bundles", "--insecure", *far)
    assert "over plain HTTP" not in insisted.stderr  # no such host is known here, but it was tried
    assert insisted.exit_code == 1
    assert "over plain HTTP" not in typed(server, "bundles", "--server", "https://operators.example:8001").stderr


def test_whoever_lost_the_admins_token_makes_another_one_on_the_servers_machine(server: ServerHarness) -> None:
    lost = server.client("operator")
    assert lost.get("/v1/bundles").status_code == 200
    command = [sys.executable, "-c", "from cloud_server.command import main; main()", "admin-token", "--data"]
    told = subprocess.run([*command, str(server.data)], env=os.environ, capture_output=True, text=True, check=True)
    assert str(server.data / "admin-token") in told.stdout
    assert server.admin_token not in told.stdout + told.stderr
    assert stat.S_IMODE((server.data / "admin-token").stat().st_mode) == 0o600
    found = server.client("operator")
    assert found.get("/v1/bundles").status_code == 200
    (row,) = found.get("/v1/audit").json()["entries"]
    assert (row["operator"], row["address"], row["action"]) == ("dctwire-server", "local", "token.renew-admin")


def test_a_person_comes_to_the_console_by_a_code_and_then_by_a_password_that_is_in_no_command(
    server: ServerHarness,
) -> None:
    made = json.loads(typed(server, "console", "login", "--json").stdout)
    assert made["address"] == f"{server.addresses['operator']}/console/"
    by_code = stranger(server)
    assert by_code.send("/login", {"code": made["code"]}).status_code == 303
    assert "log in with the code" in typed(server, "console", "login").stdout
    words, environment = ["operators", "password"], {"COLUMNS": "200", **server.as_operator}
    first = CliRunner().invoke(app, words, input="rain falls on blue roofs\n", env=environment)
    assert first.stdout.startswith("Set your password.")
    assert stranger(server).send("/login", {"name": "admin", "password": "rain falls on blue roofs"}).status_code == 303
    again = CliRunner().invoke(app, words, input="seven quiet harbours\nnot the right one\n", env=environment)
    assert "the current password is another one" in again.stderr
    both = "seven quiet harbours\nrain falls on blue roofs\n"
    assert CliRunner().invoke(app, words, input=both, env=environment).exit_code == 0
    assert typed(server, "operators", "add", "ada", "viewer").exit_code == 0
    of_ada = CliRunner().invoke(app, [*words, "ada"], input="seven quiet harbours\n", env=environment)
    assert of_ada.stdout.startswith("Set the password of ada.")
