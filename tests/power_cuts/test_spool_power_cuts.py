"""The spool after a power cut at any moment: it opens, has what it accepted, and gives no number twice."""

import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from sensor_client.spool import Spool, SpoolLimits
from tests.power_cuts.disk import Disk
from tests.power_cuts.journal import Kind, build_shim, noting, read_steps
from tests.power_cuts.ledger import Accepted
from tests.sensor_client.program import environment
from tests.system_packages import required


@pytest.mark.parametrize(
    ("seed", "frames", "cuts"),
    [(1, 40, 60), *(pytest.param(seed, 700, 400, marks=pytest.mark.system) for seed in (2, 3))],
)
def test_a_power_cut_at_any_moment_leaves_every_accepted_frame_and_no_number_is_given_twice(
    tmp_path: Path, seed: int, frames: int, cuts: int
) -> None:
    required("gcc")
    root, journal = tmp_path / "root", tmp_path / "journal"
    root.mkdir()
    disk, chance = Disk(root), Random(seed)
    command = [sys.executable, "-m", "tests.power_cuts.spool_program", str(root), str(seed), str(frames)]
    shim = build_shim(tmp_path)
    subprocess.run(command, env=environment(**noting(shim, root, journal)), check=True)
    steps = list(read_steps(journal))
    ledger_file = next(step.file for step in steps if step.kind is Kind.CREATE and step.path == "ledger")
    said, done = bytearray(), 0
    for at in sorted(chance.sample(range(len(steps) + 1), min(cuts, len(steps)))):
        disk.take(steps[done:at])
        said += b"".join(
            step.payload for step in steps[done:at] if step.kind is Kind.WRITE and step.file == ledger_file
        )
        done = at
        require_whole(disk, tmp_path / "found", Accepted.of(bytes(said)), chance)


def require_whole(disk: Disk, found: Path, accepted: Accepted, chance: Random) -> None:
    """What is found after a cut now is a spool with all that was accepted, which goes on counting."""
    found.mkdir()
    disk.write(found, chance)
    spool = Spool(found / "spool.sqlite3", SpoolLimits())
    waiting = {frame.sequence: frame.body for frame in spool.oldest(2**31)}
    missing = {number for number, body in accepted.bodies.items() if waiting.get(number) != body}
    assert missing <= accepted.left
    assert spool.append(b"next", 0) > max([*accepted.bodies, *accepted.left, *waiting], default=0)
    spool.close()
    shutil.rmtree(found)
