"""`dctwire fallback`: listed, released by a short name, withdrawn; a slip is answered with what was meant."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_server.cli.test_cli import Operator
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.server import server_in_thread


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """One who has a server without anything published."""
    with server_in_thread(tmp_path / "server") as harness:
        yield Operator(harness)


def test_a_fallback_is_listed_released_by_its_short_name_and_withdrawn(operator: Operator, tmp_path: Path) -> None:
    assert "Next: dctwire publish FOLDER" in operator.type("fallback", "list").stdout
    fallback = write_fallback(tmp_path / "any", "digits")
    operator.harness.publish(tmp_path / "any")
    assert [row["is_released"] for row in operator.ask("fallback", "list", "digits")["fallbacks"]] == [False]
    said = operator.type("fallback", "release", "digits", fallback.name.removeprefix("digits/"))
    assert said.stdout == f"{fallback.name} answers digits's frames of unknown tables.\n"
    shown = operator.type("fallback", "list").stdout
    assert (fallback.name in shown, "released" in shown) == (True, True)
    assert operator.ask("fallback", "release", "digits", fallback.name) == {"family": "digits", "name": fallback.name}
    assert [row["is_released"] for row in operator.ask("fallback", "list")["fallbacks"]] == [True]
    assert operator.type("fallback", "withdraw", "digits").stdout == "No fallback answers digits any more.\n"
    assert operator.ask("fallback", "withdraw", "digits") == {"family": "digits", "name": None}
    assert [row["is_released"] for row in operator.ask("fallback", "list")["fallbacks"]] == [False]


def test_a_slip_is_answered_with_the_family_that_was_meant(operator: Operator, tmp_path: Path) -> None:
    fallback = write_fallback(tmp_path / "any", "digits")
    operator.harness.publish(tmp_path / "any")
    for words in (("list", "digit"), ("release", "digit", fallback.name), ("withdraw", "digit")):
        assert "Did you mean digits?" in " ".join(operator.type("fallback", *words).stderr.split())
    unknown = operator.type("fallback", "release", "digits", "fallback-000000")
    assert unknown.exit_code == 1
    assert "Next: See what is published with: dctwire fallback list" in " ".join(unknown.stderr.split())
    assert not operator.ask("fallback", "list")["fallbacks"][0]["is_released"]
