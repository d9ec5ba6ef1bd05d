"""A data directory: who may look into the one that is made, and that one process at a time has it."""

import stat
from pathlib import Path

import pytest

from cloud_server.storage.data_lock import DataInUseError, DataLock


def test_a_directory_that_is_made_is_its_owners_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    for data, mode in ((tmp_path / "new" / "data", 0o700), (theirs, 0o755)):
        DataLock(data, may_create=True).release()
        assert stat.S_IMODE(data.stat().st_mode) == mode


def test_who_comes_second_is_told_that_a_directory_is_taken(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    with pytest.raises(DataInUseError, match="another dctwire-server works in"):
        DataLock(tmp_path)
    lock.release()
    DataLock(tmp_path).release()
