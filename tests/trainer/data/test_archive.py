"""Archives, good and malicious: unpacked whole, or refused with nothing written anywhere."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.data.archive import Limits, unpack
from trainer.errors import DatasetError

GOOD = {"set/train": b"train" * 1000, "set/deeper/meta": b"meta"}


def write_tar(path: Path, files: dict[str, bytes], *special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in special:
            tar.addfile(info)
    return path


def write_zip(path: Path, files: dict[str, bytes], *special: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for info in special:
            archive.writestr(info, "/etc/passwd")
    return path


WRITERS: dict[str, Callable[..., Path]] = {"a.tar.gz": write_tar, "a.zip": write_zip}


def tar_special(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("set/link")
    info.type, info.linkname = kind, "../../outside"
    return info


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", WRITERS)
def test_the_folder_appears_with_everything_in_it(tmp_path: Path, name: str) -> None:
    unpack(WRITERS[name](tmp_path / name, GOOD), tmp_path / "set")
    assert {file: (tmp_path / file).read_bytes() for file in GOOD} == GOOD
    assert everything_in(tmp_path) == sorted([name, "set", "set/deeper", *GOOD])


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("member", ["../outside", "/outside", "set/../../outside", "other/file", "set/..\\outside"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str, member: str) -> None:
    (tmp_path / "in").mkdir()
    archive = WRITERS[name](tmp_path / "in" / name, GOOD | {member: b"x"})
    with pytest.raises(DatasetError, match="would lie outside set"):
        unpack(archive, tmp_path / "in" / "set")
    assert everything_in(tmp_path) == ["in", f"in/{name}"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    archive = write_tar(tmp_path / "a.tar.gz", GOOD, tar_special(kind))
    with pytest.raises(DatasetError, match="'set/link' is neither a file nor a folder"):
        unpack(archive, tmp_path / "set")
    assert everything_in(tmp_path) == ["a.tar.gz"]


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("set/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DatasetError, match="'set/link' is neither a file nor a folder"):
        unpack(write_zip(tmp_path / "a.zip", GOOD, link), tmp_path / "set")
    assert everything_in(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("limits", "message"),
    [(Limits(total_bytes=5_003), "more than 5003 bytes"), (Limits(members=1), "more than 1 members")],
)
def test_more_than_a_data_set_needs_is_refused(tmp_path: Path, name: str, limits: Limits, message: str) -> None:
    archive = WRITERS[name](tmp_path / name, GOOD)
    with pytest.raises(DatasetError, match=message):
        unpack(archive, tmp_path / "set", limits)
    assert everything_in(tmp_path) == [name]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_archive_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    archive = WRITERS[name](tmp_path / name, {"set/noise": bytes(range(256)) * 3_000})
    content = archive.read_bytes()
    archive.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"no"}[damage])
    with pytest.raises(DatasetError, match=rf"{name}: (cannot be unpacked|holds no folder set)"):
        unpack(archive, tmp_path / "set")
    assert everything_in(tmp_path) == [name]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_comes_twice_is_refused(tmp_path: Path, name: str) -> None:
    link = {"a.tar.gz": tarfile.TarInfo, "a.zip": zipfile.ZipInfo}[name]("set/train")
    with pytest.raises(DatasetError, match="cannot be unpacked"):
        unpack(WRITERS[name](tmp_path / name, GOOD, link), tmp_path / "set")


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="would lie outside other"):
        unpack(write_tar(tmp_path / "a.tar.gz", GOOD), tmp_path / "other")
