"""The status as a person reads it."""

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from sensor_client.report import status_table
from sensor_client.spool import UnreadablePicture
from sensor_client.state_directory import StateDirectory
from sensor_client.status import read_status


def test_a_picture_that_was_met_once_is_not_met_one_times(tmp_path: Path) -> None:
    broken = UnreadablePicture("a.jpg", "cut short", 1, 0)
    status = read_status(StateDirectory(tmp_path))
    pictures = (broken, replace(broken, name="b.jpg", times=2))
    written = io.StringIO()
    Console(file=written, width=200).print(status_table(status.model_copy(update={"unreadable_pictures": pictures})))
    assert "a.jpg: cut short (met once)" in written.getvalue()
    assert "b.jpg: cut short (met 2 times)" in written.getvalue()
