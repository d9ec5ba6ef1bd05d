"""`dctwire-sensor dead-letters`, beside a spool that another program has open."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sensor_client.app import app
from sensor_client.spool import NoSpoolError, Spool, SpoolLimits
from sensor_client.state_directory import StateDirectory


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Frames 1 to 3 were refused; the spool is open as `run` has it."""
    path = StateDirectory(tmp_path).spool_file
    with contextlib.closing(Spool(path, SpoolLimits(), random=lambda: 0.5)) as spool:
        for number in range(1, 4):
            sequence = spool.append(b"body %d" % number, number)
            spool.refuse(sequence, status=422, code="corrupt-jpeg", detail="corrupt-jpeg: why\x1b[31m")
        yield spool


def said(*command: object) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, ["dead-letters", *map(str, command)])
    assert result.exit_code == 0, result.output
    return result.output


def test_they_are_listed_with_the_reason_and_nothing_that_a_terminal_obeys(spool: Spool, tmp_path: Path) -> None:
    listed = said("list", "--state", tmp_path)
    assert listed.count("corrupt-jpeg") == 3 and "\x1b" not in listed
    told = json.loads(said("list", "--json", "--state", tmp_path))
    assert [each["sequence"] for each in told] == [1, 2, 3]
    assert told[0]["bytes"] == 6 and "body" not in told[0]


def test_they_wait_again_when_somebody_says_so(spool: Spool, tmp_path: Path) -> None:
    assert said("retry", "--state", tmp_path, 2) == "to be sent again: 1 frame\n"
    assert [(frame.sequence, frame.body) for frame in spool.oldest(9)] == [(4, b"body 2")]
    assert said("retry", "--state", tmp_path) == "to be sent again: 2 frames\n"
    assert len(spool.oldest(9)) == 3 and spool.dead_letters() == []


def test_they_are_written_into_a_folder_and_cleared(spool: Spool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert said("export", "--state", tmp_path, "--out", out, 1, 3) == "written: 2 frames\n"
    assert sorted(file.name for file in out.iterdir()) == ["1.jpg", "1.json", "3.jpg", "3.json"]
    assert (out / "3.jpg").read_bytes() == b"body 3"
    assert {file.stat().st_mode & 0o777 for file in out.iterdir()} == {0o600}
    assert json.loads((out / "3.json").read_text())["code"] == "corrupt-jpeg"
    assert said("clear", "--state", tmp_path) == "dropped: 3 frames\n"
    assert said("list", "--state", tmp_path) == "no frame is kept that was refused\n"


@pytest.mark.parametrize("command", [("retry",), ("clear",), ("export", "--out", "out")])
def test_a_number_that_no_refused_frame_has_is_named_and_the_others_are_done(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["dead-letters", *command, "--state", str(tmp_path), "2", "77"])
    assert result.exit_code == 1
    assert "1 frame\n" in result.output and "no refused frame has the number 77" in result.output


def test_without_a_spool_none_is_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["dead-letters", "retry", "--state", str(tmp_path)])
    assert isinstance(result.exception, NoSpoolError)
    assert list(tmp_path.iterdir()) == []
