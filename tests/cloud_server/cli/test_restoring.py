"""A server whose backup was restored gets back what it has lost, by one command, in whatever order it was published."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_server.cli.app import app
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

COUNTERS = (1, 2, 3, 10, 11)


@contextlib.contextmanager
def restored_server(tmp_path: Path) -> Iterator[ServerHarness]:
    """One that had all of `COUNTERS` and a fallback, and has digits/1 alone."""
    for counter in COUNTERS:
        write_bundle(tmp_path / str(counter), "digits", counter, tables(50 + counter), seed=counter)
    write_fallback(tmp_path / "fallback", "digits")
    with server_in_thread(tmp_path / "server") as harness:
        harness.publish(tmp_path / "1")
    shutil.copytree(tmp_path / "server" / "data", tmp_path / "backup")
    with server_in_thread(tmp_path / "server") as harness:
        for name in (*COUNTERS[1:], "fallback"):
            harness.publish(tmp_path / str(name))
    shutil.rmtree(tmp_path / "server" / "data")
    shutil.copytree(tmp_path / "backup", tmp_path / "server" / "data")
    with server_in_thread(tmp_path / "server") as harness:
        yield harness


def listed(harness: ServerHarness) -> list[str]:
    """What the server has a record of."""
    client = harness.client("operator")
    return [row["name"] for kind in ("bundles", "fallbacks") for row in client.get(f"/v1/{kind}").json()[kind]]


def typed(harness: ServerHarness, *words: str) -> tuple[int, str]:
    """Exit status and all that a command of the operator says."""
    result = CliRunner().invoke(app, [*words, "--keys", str(harness.keys)], env=harness.as_operator)
    return result.exit_code, " ".join(result.output.split())


def test_one_command_brings_back_all_that_is_signed(tmp_path: Path) -> None:
    with restored_server(tmp_path) as harness:
        status, said = typed(harness, "trust", "restore")
        assert (status, "Published again: " in said) == (0, True), said
        assert [name for name in listed(harness) if "fallback" not in name] == ["digits/1", "digits/10", "digits/11"]
        assert any("fallback" in name for name in listed(harness)), said
        assert typed(harness, "trust", "restore") == (0, "Published again: nothing was missing.")
        assert harness.assign("digits", 10) > 0


def test_whatever_is_published_or_renewed_before_takes_nothing_away(tmp_path: Path) -> None:
    write_bundle(tmp_path / "12", "digits", 12, tables(62), seed=12)
    with restored_server(tmp_path) as harness:
        for words in (("trust", "renew"), ("publish", str(tmp_path / "12")), ("publish", str(tmp_path / "11"))):
            status, said = typed(harness, *words)
            assert status == 0, said
            assert "lost what was published before: digits/10" in said
            assert "trust restore --keys" in said
        assert typed(harness, "trust", "restore")[0] == 0
        assert {"digits/10", "digits/11", "digits/12"} < set(listed(harness))


def test_a_folder_that_was_moved_is_named_and_may_be_given(tmp_path: Path) -> None:
    with restored_server(tmp_path) as harness:
        (tmp_path / "10").rename(tmp_path / "moved")
        status, said = typed(harness, "trust", "restore")
        assert (status, "no folder holds digits/10 any more" in said) == (1, True)
        assert "digits/11" in listed(harness)
        assert typed(harness, "trust", "restore", str(tmp_path / "moved")) == (0, "Published again: digits/10.")


@pytest.mark.parametrize("forgotten", ["digits/10"])
def test_what_nobody_can_bring_back_need_not_be_listed_for_ever(tmp_path: Path, forgotten: str) -> None:
    write_bundle(tmp_path / "12", "digits", 12, tables(62), seed=12)
    write_bundle(tmp_path / "13", "digits", 13, tables(63), seed=13)
    with restored_server(tmp_path) as harness:
        shutil.rmtree(tmp_path / "10")
        for name in ("12", "13"):
            assert "Next: dctwire trust restore" in typed(harness, "publish", str(tmp_path / name))[1]
        assert typed(harness, "trust", "renew", "--forget-lost")[0] == 0
        targets = harness.client("operator").get("/v1/tuf/digits/targets").json()["signed"]["targets"]
        assert f"{forgotten}.json" not in targets
