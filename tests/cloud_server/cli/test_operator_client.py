"""The way from the command line to a server: proxies, other planes, and what is no server at all."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloud_server.cli.app import app
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.http_proxy import HttpProxy

NO_VARIABLES = {
    name: "" for kind in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (kind, kind.upper())
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server with nothing in it, which others call by a name as well."""
    with server_in_thread(tmp_path_factory.mktemp("server"), operator_hosts="operators.example") as harness:
        yield harness


def ask(server: str, *words: str, **variables: str) -> Result:
    """Type `dctwire WORDS` in an environment of proxies."""
    return CliRunner().invoke(app, [*(words or ("bundles",)), "--server", server], env=NO_VARIABLES | variables)


def signed_in(server: ServerHarness, **variables: str) -> dict[str, str]:
    """These variables, and the first admin's token."""
    return variables | {"DCTWIRE_OPERATOR_TOKEN_FILE": str(server.token_file)}


@pytest.mark.parametrize(
    "variables",
    [
        {"NO_PROXY": "[::1]"},
        {"NO_PROXY": "[::1],localhost,*.example,10.0.0.0/8,:,"},
        {"ALL_PROXY": "socks5://proxy.example:1080"},
        {"HTTP_PROXY": "socks4://proxy.example:1080", "HTTPS_PROXY": "nonsense"},
        {"http_proxy": "http://[::1", "NO_PROXY": "["},
        {"HTTP_PROXY": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"},
    ],
    ids=str,
)
def test_a_server_on_loopback_is_asked_directly_whatever_the_variables_hold(
    server: ServerHarness, variables: dict[str, str]
) -> None:
    result = ask(server.addresses["operator"], **signed_in(server, **variables))
    assert (result.exit_code, result.exception) == (0, None), result.output


def test_another_host_is_asked_through_the_proxy_unless_no_proxy_names_it(server: ServerHarness) -> None:
    port = server.addresses["operator"].rpartition(":")[2]
    far = f"http://operators.example:{port}"
    with HttpProxy() as proxy:
        assert ask(far, "bundles", "--insecure", **signed_in(server, HTTP_PROXY=proxy.url)).exit_code == 0
        assert proxy.asked == [f"GET {far}/v1/bundles", f"GET {far}/v1/fallbacks"]
        direct = ask(far, HTTP_PROXY=proxy.url, NO_PROXY=f"example:{port}")
        assert len(proxy.asked) == 2
    assert direct.exit_code == 1  # no such host is known here
    assert "proxy" not in direct.stderr


@pytest.mark.parametrize("status", [403, 407, 502, 503])
def test_what_a_proxy_refuses_is_told_with_its_name_and_without_its_password(status: int) -> None:
    with HttpProxy(refusal=status) as proxy:
        host = proxy.url.removeprefix("http://")
        result = ask("http://operators.example:8001", HTTP_PROXY=f"http://user:secret@{host}")
    assert result.exit_code == 1
    assert f"through the proxy {proxy.url} that HTTP_PROXY names" in result.stderr
    assert str(status) in result.stderr
    assert "secret" not in result.stderr


def test_a_tunnel_that_the_proxy_refuses_and_a_proxy_that_is_not_there_are_told_with_its_name() -> None:
    with HttpProxy(refusal=403) as proxy:
        refused = ask("https://operators.example", https_proxy=proxy.url)
    assert f"through the proxy {proxy.url} that https_proxy names" in refused.stderr
    gone = ask("http://operators.example", HTTP_PROXY=proxy.url)
    assert f"through the proxy {proxy.url} that HTTP_PROXY names" in gone.stderr
    assert "Next: Is the proxy running" in gone.stderr
    assert "dctwire-server run" not in gone.stderr


@pytest.mark.parametrize("value", ["socks5://proxy.example:1080", "http://[::1", "ftp://proxy.example"])
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable(value: str) -> None:
    result = ask("http://operators.example:8001", ALL_PROXY=value)
    assert isinstance(result.exception, SystemExit)
    assert "ALL_PROXY" in result.stderr
    assert "NO_PROXY" in result.stderr


@pytest.mark.parametrize("plane", ["device", "ops"])
@pytest.mark.parametrize(
    "words", [["bundles"], ["devices"], ["status"], ["claim", "digits"], ["assign", "digits", "1"], ["samples", "list"]]
)
def test_another_plane_is_told_by_its_name(server: ServerHarness, plane: str, words: list[str]) -> None:
    result = ask(server.addresses[plane], *words)
    assert result.exit_code == 1
    assert f"is the dctwire {plane} plane, not the dctwire operator plane" in result.stderr
    assert "DCTWIRE_OPERATOR_URL" in result.stderr
    told = ask(server.addresses[plane], *words, "--json")
    assert json.loads(told.stdout)["error"]["code"] == "wrong-plane"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["page", "no page", "login", "gateway", "ssh"],
)
def test_what_is_no_server_of_ours_is_told(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        result = _asked_while(listening, answer)
    assert isinstance(result.exception, SystemExit)
    assert f"http://127.0.0.1:{listening_port(result)}" in result.stderr
    assert "Next:" in result.stderr


def listening_port(result: Result) -> str:
    return result.stderr.partition("127.0.0.1:")[2][:5]


def _asked_while(listening: socket.socket, answer: bytes) -> Result:
    """Ask whoever answers every connection with the same bytes."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    result = ask(f"http://127.0.0.1:{listening.getsockname()[1]}")
    listening.shutdown(socket.SHUT_RDWR)
    thread.join()
    return result


@pytest.mark.parametrize(
    "url", ["localhost:8001", "http://[::1", "http://host:99999", "", "ftp://host", "http://", "/x"]
)
def test_what_is_no_address_is_told_with_what_one_looks_like(url: str) -> None:
    result = ask(url)
    assert isinstance(result.exception, SystemExit)
    assert "http://HOST:PORT" in result.stderr


def test_tls_to_a_plane_without_it_is_told(server: ServerHarness) -> None:
    result = ask(server.addresses["operator"].replace("http", "https"))
    assert isinstance(result.exception, SystemExit)
    assert "https://127.0.0.1" in result.stderr
    assert (
        "Next: On loopback the operator plane speaks plain HTTP unless it is set otherwise: --server http://"
        in result.stderr
    )
    assert "dctwire-server run" not in result.stderr


def test_a_database_that_is_gone_is_no_reason_to_start_a_server(tmp_path: Path) -> None:
    """The hint follows the server's code, not the kind of error."""
    with server_in_thread(tmp_path) as harness, harness.database() as database:
        database.exec_driver_sql("DROP TABLE claims")
        database.commit()
        result = ask(harness.addresses["operator"], "claim", "digits", "--json", **signed_in(harness))
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "not-ready"
    assert error["next"].startswith("Try again")


@pytest.mark.parametrize("name", ["..", ".", "../x", "%2E%2e", "x?y=", "x#y", "x//y", "", "x\ny", "x" * 300, "\udcff"])
@pytest.mark.parametrize("command", [("rollout", "status"), ("rollout", "abort"), ("events", "test")], ids=str)
def test_a_name_that_would_lead_to_another_route_is_not_sent(
    server: ServerHarness, command: tuple[str, ...], name: str
) -> None:
    before = server.client("operator").get("/v1/audit").json()
    told = ask(server.addresses["operator"], *command, name, **signed_in(server))
    assert told.exit_code == 1, told.output
    assert "a name in it that nothing has" in " ".join(told.stderr.split())
    assert server.client("operator").get("/v1/audit").json() == before
