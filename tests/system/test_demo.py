"""The demo's folder: its own leavings go, nobody else's."""

from pathlib import Path

import pytest

from deploy.demo import clear
from harness.processes import ProgramError, Running


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ProgramError, match="something else"):
        clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_what_an_earlier_demo_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    clear(folder)
    (folder / "server.log").touch()
    clear(folder)
    assert not (folder / "server.log").exists()


def test_a_program_that_ends_with_an_error_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    with (
        Running(
            ("dctwire-sensor", "run", "--state", str(tmp_path), "--source", str(tmp_path)), tmp_path / "log"
        ) as program,
        pytest.raises(ProgramError, match="ended with"),
    ):
        program.wait(30)
