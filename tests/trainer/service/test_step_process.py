"""Steps in processes of their own: limits, ends, and that none outlives who started it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.service.configuration import example, read_settings
from trainer.service.step_process import (
    StepFailedError,
    StepLeftError,
    StepOrder,
    StepOverdueError,
    Watch,
    run_apart,
)
from trainer.service.steps import MeasureStep

pytestmark = pytest.mark.timeout(600)


def step_without_bundle(folder: Path) -> MeasureStep:
    """A step that fails once everything is loaded: there is no bundle."""
    return MeasureStep(
        champion=folder / "no",
        challenger=folder / "no",
        before=folder / "no",
        uploads=folder / "no",
        bundle=folder / "bundle",
        family="doorbell",
        counter=2,
        budget=100.0,
        threads=1,
    )


def order(folder: Path, memory_mib: int = 16_384) -> StepOrder:
    """That step, in a process of its own."""
    step, cache = step_without_bundle(folder), folder / "cache"
    return StepOrder(step=step, memory_mib=memory_mib, processes=1, data_dir=None, cache_dir=cache)


def watch(*, must_leave: Callable[[], bool] = lambda: False, seconds_left: float = 500) -> Watch:
    """What a parent looks at."""
    return Watch(must_leave, seconds_left, lambda _share: None, time.monotonic)


def test_a_step_that_cannot_be_done_says_why_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match=r"(?s)measure ended with status 1; .*measure.log ends with:.*no bundle"):
        run_apart(order(tmp_path), tmp_path, watch())


def test_what_the_printed_example_says_is_enough_for_a_step(tmp_path: Path) -> None:
    (tmp_path / "service.toml").write_text(example())
    wanted = StepOrder.of(read_settings(tmp_path / "service.toml"), step_without_bundle(tmp_path), 1)
    assert (wanted.data_dir, wanted.cache_dir) == (None, None)
    with pytest.raises(StepFailedError, match=r"(?s)measure.log ends with:.*no bundle"):
        run_apart(wanted, tmp_path, watch())


def test_more_memory_than_it_may_have_is_not_given_to_a_step(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError) as caught:
        run_apart(order(tmp_path, memory_mib=1), tmp_path, watch())
    assert "no bundle" not in str(caught.value)


def test_a_step_that_is_left_or_overdue_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(StepOverdueError, match=r"\[limits\] hours"):
        run_apart(order(tmp_path), tmp_path, watch(seconds_left=0))
    with pytest.raises(StepLeftError):
        run_apart(order(tmp_path), tmp_path, watch(must_leave=lambda: True))
    assert not processes_about(tmp_path)


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
CHILD = "import time; from trainer.service import step_process as s; s._end_with_parent(); time.sleep(600)"


def test_a_step_ends_when_the_service_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 120
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    """Whether there is such a process that is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_about(folder: Path) -> list[int]:
    """Processes whose command line names a folder, this one and its parents left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and b"service-step" in words and is_alive(int(path.parent.name)):
            found.append(int(path.parent.name))
    return found
