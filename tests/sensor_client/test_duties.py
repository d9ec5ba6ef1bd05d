"""What is due now and then is due by the time of day, or by starts where that time is not to be believed."""

from pathlib import Path

import pytest

from sensor_client.duties import Done, Duties, DutiesFile, is_due


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, True),
        (Done(at=1000.0, start=5), False),
        (Done(at=1000.0 - 3599, start=5), False),
        (Done(at=1000.0 - 3600, start=5), True),
        (Done(at=1000.5, start=5), True),  # the clock was set back
        (Done(at=1000.0, start=-5), True),
        (Done(at=1000.0, start=-4), False),
        (Done(at=1000.0, start=6), True),  # the spool, which counts starts, was lost
    ],
)
def test_a_duty_is_due_after_so_long_or_so_many_starts(last: Done | None, due: bool) -> None:
    assert is_due(last, Done(at=1000.0, start=5), every_seconds=3600.0, every_starts=10) is due


def test_what_was_done_is_kept_and_damage_counts_as_never(tmp_path: Path) -> None:
    file = DutiesFile(tmp_path / "duties.json")
    duties = Duties(heartbeat=Done(at=1.5, start=2))

    assert file.load() == Duties()
    file.save(duties)
    assert file.load() == duties
    (tmp_path / "duties.json").write_text("{")
    assert file.load() == Duties()
