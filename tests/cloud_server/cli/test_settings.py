"""`dctwire settings`: set, listed, shown and removed; what is wrong is said before anything is signed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_server.cli.test_cli import Operator
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import server_in_thread


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """One whose server has a bundle of digits."""
    folder = tmp_path_factory.mktemp("settings")
    write_bundle(folder / "v1", "digits", 1, tables(50))
    with server_in_thread(folder / "server") as harness:
        harness.publish(folder / "v1")
        yield Operator(harness)


def test_settings_are_set_listed_shown_and_removed(operator: Operator) -> None:
    keys = operator.harness.keys
    assert operator.type("settings", "list").stdout.startswith("Nothing is set from afar")
    said = operator.type(
        "settings",
        "set",
        "digits",
        "--rate",
        "0.2",
        "--budget-day",
        "500000",
        "--region",
        "0.25,0,0.5,1",
        "--keys",
        keys,
    )
    assert said.stdout == (
        "Settings 1 hold for digits: 0.2 pictures a second, 500000 bytes a day, "
        "0.25 0 0.5 1 region (left, top, width, height).\n"
    )
    made = operator.ask("settings", "set", "digits", "--tag", "site=north", "--batch", "8", "--keys", keys)
    assert made == {"family": "digits", "tag": "site=north", "counter": 2, "said": {"batch_frames": 8}}
    rows = operator.ask("settings", "list", "digits")["settings"]
    assert [(row["counter"], row["tag"], row["is_listed"]) for row in rows] == [
        (1, None, True),
        (2, "site=north", True),
    ]
    assert "8 frames a request" in operator.type("settings", "list").stdout
    shown = operator.type("settings", "show", "digits").stdout
    assert shown.splitlines()[:2] == ["Settings 1 of digits", "  0.2 pictures a second"]
    assert operator.ask("settings", "show", "digits", "--tag", "roof") is None
    removed = operator.type("settings", "remove", "digits", "--tag", "site=north")
    assert removed.stdout == "Settings from afar no longer hold for devices of digits with tag site=north.\n"
    assert operator.ask("settings", "remove", "digits")["counter"] == 1
    assert "did not hold" in operator.type("settings", "remove", "digits").stdout


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--rate", "0"), "frames-per-second: Input should be greater than or equal to"),
        (("--budget-hour", "10"), "budget-hour-bytes: Input should be greater than or equal to 1024"),
        ((), "nothing is set; say at least one setting"),
        (("--region", "0.5,0,0.6,1"), "the region reaches beyond the picture"),
        (("--region", "left"), "is no region"),
        (("--tag", "no blanks", "--batch", "2"), "tag: String should match"),
    ],
)
def test_what_is_out_of_bounds_is_said_before_anything_is_signed(
    operator: Operator, words: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    before = operator.harness.client("operator").get("/v1/tuf/digits/targets").content
    refused = operator.type("settings", "set", "digits", "--keys", operator.harness.keys, *words)
    assert refused.exit_code != 0
    assert fault in " ".join(refused.stderr.split()).replace("│ ", "")
    assert operator.harness.client("operator").get("/v1/tuf/digits/targets").content == before


def test_a_slip_is_answered_with_the_family_that_was_meant(operator: Operator) -> None:
    refused = operator.type("settings", "set", "digit", "--batch", "2", "--keys", operator.harness.keys)
    assert refused.exit_code == 1
    assert "Next: Publish a bundle of the family first" in " ".join(refused.stderr.split())
    assert "Did you mean digits?" in " ".join(operator.type("settings", "list", "digit").stderr.split())
