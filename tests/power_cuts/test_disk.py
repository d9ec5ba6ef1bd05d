"""The disk of the power cuts shows what a program saw, and forgets what was never synced."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.power_cuts.disk import SECTOR_BYTES, Disk
from tests.power_cuts.journal import build_shim, noting, read_steps
from tests.system_packages import required

SEEDS = range(60)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    required("gcc")
    return build_shim(tmp_path_factory.mktemp("shim"))


class Noted:
    """What a piece of Python did in an empty folder."""

    def __init__(self, shim: Path, folder: Path, code: str) -> None:
        self.root, self.folder = folder / "root", folder
        self.root.mkdir(parents=True)
        self.disk = Disk(self.root)
        environment = os.environ | noting(shim, self.root, folder / "journal")
        subprocess.run([sys.executable, "-c", code], cwd=self.root, env=environment, check=True)
        self.disk.take(read_steps(folder / "journal"))

    def found(self, seed: int | None) -> dict[str, bytes]:
        """The files that are found after a cut; without a seed, those that the program saw."""
        target = self.folder / f"found-{seed}"
        target.mkdir()
        self.disk.write(target, None if seed is None else Random(seed))
        return contents(target)

    def all_found(self) -> list[dict[str, bytes]]:
        return [self.found(seed) for seed in SEEDS]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): b"-> %s" % bytes(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_without_a_cut_the_disk_shows_what_the_program_left(shim: Path, tmp_path: Path) -> None:
    code = """
import os, sqlite3, shutil
os.mkdir("a"); open("a/one", "w").write("hello"); os.rename("a/one", "two")
with open("two", "r+b") as file: file.seek(2); file.write(b"LL"); file.truncate(4)
with open("log", "ab") as file: file.write(b"x" * 3000); file.flush(); file.write(b"y")
os.link("two", "hard"); os.symlink("two", "link"); os.symlink("log", "l2"); os.replace("l2", "link")
os.makedirs("b/c"); open("b/c/gone", "w").write("x"); shutil.rmtree("b")
open("two", "w").write("anew"); os.rename("a", "d"); open("d/in", "w").write("in")
with sqlite3.connect("db") as db:
    db.execute("pragma journal_mode = wal"); db.execute("create table t (x blob)")
    for n in range(50): db.execute("insert into t values (zeroblob(3000))"); db.commit()
db.execute("pragma wal_checkpoint(truncate)")
"""
    noted = Noted(shim, tmp_path, code)
    seen, found = contents(noted.root), noted.found(None)
    assert found.pop("db-shm", b"") is not None and seen.pop("db-shm", b"") is not None  # mapped into memory
    assert found == seen
    assert seen["link"] == b"-> log"


def test_what_was_never_synced_may_be_gone_whole_or_by_sectors(shim: Path, tmp_path: Path) -> None:
    found = Noted(shim, tmp_path, f"open('f', 'wb').write(b'x' * {4 * SECTOR_BYTES})").all_found()
    assert {} in found
    assert {"f": b""} in found
    torn = [bytes(sorted(set(files["f"]))) for files in found if files]
    assert b"\0x" in torn


def test_what_was_synced_with_its_folder_is_always_there(shim: Path, tmp_path: Path) -> None:
    code = """
import os
file = open("f", "wb"); file.write(b"safe"); file.flush(); os.fsync(file.fileno())
os.fsync(os.open(os.getcwd(), os.O_RDONLY)); file.write(b", and this is not"); file.close()
"""
    found = Noted(shim, tmp_path, code).all_found()
    assert all(files["f"].startswith(b"safe") for files in found)
    assert len({files["f"] for files in found}) > 1


def test_a_name_that_was_replaced_shows_the_old_or_the_new_file_and_unsynced_bytes_are_lost_behind_it(
    shim: Path, tmp_path: Path
) -> None:
    code = """
import os
def sync(path): at = os.open(path, os.O_RDONLY); os.fsync(at); os.close(at)
open("f", "w").write("old"); sync("f"); sync(".")
open("g", "w").write("new"); {}
os.replace("g", "f")
"""
    careful = Noted(shim, tmp_path / "careful", code.format("sync('g')")).all_found()
    assert {files["f"] for files in careful} == {b"old", b"new"}
    careless = Noted(shim, tmp_path / "careless", code.format("pass")).all_found()
    assert b"" in {files["f"] for files in careless}
