"""Endpoints come from a file of the server's own; what cannot be used is named, and no secret is repeated."""

from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud_server.cli.publishing import initialise_trust
from cloud_server.command import cli
from cloud_server.events.endpoints import ENDPOINTS_MAX, WebhooksFileError, endpoints_of
from tests.cloud_server.harness.receivers import OTHER_SECRET, SECRET

ENTRY = '[[endpoint]]\nname = "pager"\nurl = "{url}"\nsecret_file = "secret"\n'
HTTPS = "https://hooks.example/x"


def written(folder: Path, text: str, secret: str = SECRET) -> Path:
    (folder / "secret").write_text(secret)
    file = folder / "webhooks.toml"
    file.write_text(text)
    return file


def test_without_a_file_nobody_is_told() -> None:
    assert endpoints_of(None, {}) == ()


def test_an_endpoint_has_its_url_its_kinds_and_secrets_that_are_read_each_time(tmp_path: Path) -> None:
    text = ENTRY.format(url="https://user:word@hooks.example:8443/x?y=z") + 'kinds = ["rollout.*", "audit.broken"]\n'
    [endpoint] = endpoints_of(written(tmp_path, text), {})
    assert (endpoint.name, endpoint.host) == ("pager", "hooks.example:8443")
    assert [kind for kind in ("rollout.paused", "audit.broken", "device.revoke") if endpoint.wants(kind)] == [
        "rollout.paused",
        "audit.broken",
    ]
    assert len(endpoint.secrets()) == 1
    (tmp_path / "secret").write_text(f"{OTHER_SECRET}\n{SECRET}\n")
    assert len(endpoint.secrets()) == 2


@pytest.mark.parametrize(("mode", "is_told"), [(0o604, True), (0o602, True), (0o640, False), (0o600, False)])
def test_a_secret_that_everybody_may_read_is_used_and_logged(
    tmp_path: Path, lines: list[MutableMapping[str, Any]], mode: int, is_told: bool
) -> None:
    file = written(tmp_path, ENTRY.format(url=HTTPS))
    (tmp_path / "secret").chmod(mode)
    assert len(endpoints_of(file, {})) == 1
    assert [line["event"] for line in lines] == ["webhook-secret-open"] * is_told


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/x", "http://[::1]:8090/x", "http://localhost/x"])
def test_http_is_taken_to_this_machine(tmp_path: Path, url: str) -> None:
    assert endpoints_of(written(tmp_path, ENTRY.format(url=url)), {})[0].url == url


def test_http_to_another_machine_has_to_be_allowed_in_words(tmp_path: Path) -> None:
    text = ENTRY.format(url="http://hooks.example/x")
    with pytest.raises(WebhooksFileError, match="allow_http = true"):
        endpoints_of(written(tmp_path, text), {})
    assert len(endpoints_of(written(tmp_path, text + "allow_http = true\n"), {})) == 1


def test_a_proxy_stands_between_where_the_environment_names_one_but_never_to_this_machine(tmp_path: Path) -> None:
    environment = {"HTTPS_PROXY": "http://proxy.example:3128", "HTTP_PROXY": "http://proxy.example:3128"}
    [far] = endpoints_of(written(tmp_path, ENTRY.format(url=HTTPS)), environment)
    [near] = endpoints_of(written(tmp_path, ENTRY.format(url="http://127.0.0.1:1/x")), environment)
    assert far.proxy is not None
    assert (far.proxy.url, near.proxy) == ("http://proxy.example:3128", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[endpoint]", "webhooks.toml"),
        ("", "endpoint: Field required"),
        (ENTRY.format(url=HTTPS) * 2, "two endpoints have the same name"),
        (ENTRY.format(url=HTTPS) + 'sekret = "x"\n', "endpoint.0.sekret: Extra inputs"),
        (ENTRY.format(url=HTTPS).replace("pager", "Pager One"), "endpoint.0.name"),
        (ENTRY.format(url="ftp://hooks.example/x"), "must begin with https"),
        (ENTRY.format(url="https:///x"), "must begin with https"),
        (ENTRY.format(url="https://hooks.example/a b"), "must begin with https"),
        (ENTRY.format(url="https://hooks.example:99999/"), "is none"),
        (ENTRY.format(url=HTTPS) + "kinds = []\n", "endpoint.0.kinds"),
        (ENTRY.format(url=HTTPS).replace('"secret"', '"elsewhere"'), "the secret_file of pager"),
        ("".join(ENTRY.format(url=HTTPS).replace("pager", f"p{n}") for n in range(ENDPOINTS_MAX + 1)), "at most"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WebhooksFileError) as caught:
        endpoints_of(written(tmp_path, text), {})
    assert said in str(caught.value)


def test_a_server_whose_webhooks_cannot_be_used_does_not_start_and_repeats_no_secret(tmp_path: Path) -> None:
    file = written(tmp_path, ENTRY.format(url=HTTPS), secret="whsec_not-base64-but-private")
    initialise_trust(tmp_path / "keys", tmp_path / "data", datetime.now(UTC))
    environment = {"DCTWIRE_SERVER_WEBHOOKS": str(file), "DCTWIRE_SERVER_DATA": str(tmp_path / "data")}
    told = CliRunner().invoke(cli, ["run"], env=environment)
    assert told.exit_code == 2
    assert f"cannot start: the webhooks of {file}: the secret_file of pager: line 1 is no secret" in told.output
    assert "private" not in told.output
