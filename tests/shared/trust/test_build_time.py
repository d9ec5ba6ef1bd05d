"""The time when the program was made."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.trust.build_time import BUILT_AT

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="no history here")
def test_the_time_of_making_is_before_the_newest_commit_and_not_long_before() -> None:
    told = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    committed = datetime.fromtimestamp(int(told), UTC)

    assert committed - timedelta(days=180) < BUILT_AT <= committed, "set BUILT_AT to a day just before this release"
