"""A data set fetched, checked, unpacked and read, and left alone when it is there."""

import hashlib
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from tests.trainer.data.file_server import FileServer, serving
from tests.trainer.data.picture_trees import write_tiny_imagenet
from tests.trainer.data.published import write_published
from trainer.data import cifar, tiny_imagenet
from trainer.data.cache import ArrayCache
from trainer.data.download import Published
from trainer.data.fetch import fetch
from trainer.errors import DatasetError


def cifar_archive(folder: Path) -> tuple[bytes, dict[str, str]]:
    md5 = write_published(folder)
    with tarfile.open(folder / "made.tar.gz", "w:gz") as tar:
        tar.add(folder / cifar.FOLDER, cifar.FOLDER)
    return (folder / "made.tar.gz").read_bytes(), md5


def published(server: FileServer, file_name: str) -> Published:
    return Published(file_name, server.url, len(server.content), hashlib.sha256(server.content).hexdigest())


def test_cifar_100_is_fetched_and_read(tmp_path: Path) -> None:
    content, md5 = cifar_archive(tmp_path / "made")
    with serving(FileServer(content)) as server:
        folder = fetch(cifar.FOLDER, published(server, "a.tar.gz"), tmp_path / "data", time.monotonic)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [cifar.FOLDER]
    assert len(cifar.load(folder, seed=1, validation=10, md5=md5).test) == 30


def test_tiny_imagenet_is_fetched_and_read(tmp_path: Path) -> None:
    edition = write_tiny_imagenet(tmp_path / "made")
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        for path in (tmp_path / "made").rglob("*"):
            archive.write(path, path.relative_to(tmp_path / "made"))
    with serving(FileServer((tmp_path / "made.zip").read_bytes())) as server:
        fetch(tiny_imagenet.FOLDER, published(server, "a.zip"), tmp_path / "data", time.monotonic)
    cache = ArrayCache(tmp_path / "cache")
    assert len(tiny_imagenet.load(tmp_path / "data", 1, cache, validation=6, edition=edition).train) == 12


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / cifar.FOLDER).mkdir()
    assert fetch(cifar.FOLDER, Published("a", "http://127.0.0.1:9/", 1, ""), tmp_path, time.monotonic)
    assert [path.name for path in tmp_path.rglob("*")] == [cifar.FOLDER]


def test_an_archive_put_there_by_other_means_needs_no_network(tmp_path: Path) -> None:
    content, _ = cifar_archive(tmp_path / "made")
    offline = Published("a.tar.gz", "http://127.0.0.1:9/", len(content), hashlib.sha256(content).hexdigest())
    (tmp_path / "a.tar.gz").write_bytes(content)
    assert (fetch(cifar.FOLDER, offline, tmp_path, time.monotonic) / "meta").exists()


def test_without_a_network_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be fetched from http://127"):
        fetch(cifar.FOLDER, Published("a.tar.gz", "http://127.0.0.1:9/", 1, ""), tmp_path, time.monotonic)
    assert not list(tmp_path.iterdir())
