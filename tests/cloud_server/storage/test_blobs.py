"""Blobs: whatever keeps them, they are the bytes their name promises, create-only, and whole or not there."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_server.errors import StorageError
from cloud_server.open_storage import open_blobs
from cloud_server.storage.blobs import BlobDigestError, BlobMissingError, Blobs
from cloud_server.storage.bucket_blobs import PART_BYTES, Bucket, BucketBlobs, Cache
from cloud_server.storage.directory_blobs import DirectoryBlobs
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.server import settings

ABSENT = "0" * 64
Open = Callable[[], Blobs]


@pytest.fixture
def open_again(engine: Engine, tmp_path: Path) -> Open:
    """Opens the blobs of one data directory, as each start of a server does."""
    return lambda: open_blobs(settings(tmp_path, **engine.settings(tmp_path)), "blobs")


@pytest.mark.parametrize("data", [b"", b"a label list", os.urandom(PART_BYTES * 2 + 1)], ids=["0", "12", "parts"])
def test_what_was_put_is_read_again(open_again: Open, data: bytes) -> None:
    blobs = open_again()
    sha256 = blobs.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.put(data) == sha256
    assert sha256 in open_again()
    assert open_again().read(sha256) == data
    assert open_again().path(sha256).read_bytes() == data


def test_a_blob_is_on_the_disk_before_it_is_shown_and_its_name_before_put_returns(tmp_path: Path) -> None:
    """What is synced, in order, and whether the blob could be seen under its name by then."""
    sha256, folder = hashlib.sha256(b"a frame").hexdigest(), tmp_path.resolve() / "blobs"
    place = folder / sha256[:2] / sha256
    synced: list[tuple[Path, bytes, bool]] = []

    def sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append(
            (path.parent if path.is_file() else path, path.read_bytes() if path.is_file() else b"", place.exists())
        )

    DirectoryBlobs(folder, sync).put(b"a frame")
    assert synced == [(folder / "partial", b"a frame", False), (place.parent, b"", True), (folder, b"", True)]


def test_what_was_never_put_is_missing(open_again: Open) -> None:
    blobs = open_again()
    assert ABSENT not in blobs
    with pytest.raises(BlobMissingError):
        blobs.read(ABSENT)
    with pytest.raises(BlobMissingError):
        blobs.path(ABSENT)
    blobs.delete(ABSENT)


def test_what_was_deleted_is_missing(open_again: Open) -> None:
    blobs = open_again()
    sha256 = blobs.put(b"a frame")
    blobs.delete(sha256)
    assert sha256 not in blobs
    with pytest.raises(BlobMissingError):
        blobs.path(sha256)


def test_an_upload_of_other_bytes_or_without_an_end_leaves_nothing(open_again: Open, tmp_path: Path) -> None:
    blobs, sha256 = open_again(), hashlib.sha256(b"whole").hexdigest()
    with blobs.upload(sha256) as upload:
        upload.write(b"who")
        with pytest.raises(BlobDigestError):
            upload.finish()
    with blobs.upload(sha256) as upload:
        upload.write(b"whole")
    assert sha256 not in blobs
    assert not list((tmp_path / "blobs" / "partial").iterdir())


def test_what_a_killed_process_left_half_done_is_swept_away(open_again: Open, tmp_path: Path) -> None:
    open_again()
    (tmp_path / "blobs" / "partial" / "half").write_bytes(b"half")
    open_again()
    assert not list((tmp_path / "blobs" / "partial").iterdir())


def test_a_cached_copy_that_rotted_is_fetched_again(outgrown: Outgrown, tmp_path: Path) -> None:
    blobs = open_blobs(settings(tmp_path, **outgrown.settings(tmp_path)), "blobs")
    path = blobs.path(blobs.put(b"a classifier"))
    path.write_bytes(b"a clossifier")
    assert blobs.path(path.name).read_bytes() == b"a classifier"


def test_an_object_that_is_not_what_its_name_says_is_not_used(outgrown: Outgrown, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"right").hexdigest()
    outgrown.s3.overwrite(f"rotten/{sha256[:2]}/{sha256}", b"wrong")
    blobs = BucketBlobs(outgrown.s3.bucket().open(), "rotten/", tmp_path, 1 << 20)
    with pytest.raises(BlobDigestError):
        blobs.read(sha256)
    with pytest.raises(BlobDigestError):
        blobs.path(sha256)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_cache_drops_what_was_not_used_for_longest_when_it_is_full(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", max_bytes=20, grace_seconds=60)
    paths = [cached(cache, tmp_path, data) for data in (b"old old..", b"used.....")]
    for path in paths:
        os.utime(path, (0, 0))
    assert cache.find(paths[1].name) == paths[1]
    paths.append(cached(cache, tmp_path, b"new......"))
    assert [path.exists() for path in paths] == [False, True, True]


def test_the_cache_keeps_what_was_just_handed_out_even_when_it_is_full(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", max_bytes=1, grace_seconds=60)
    paths = [cached(cache, tmp_path, data) for data in (b"one", b"two", b"three")]
    assert all(path.exists() for path in paths)


def cached(cache: Cache, folder: Path, data: bytes) -> Path:
    """Put these bytes into a cache."""
    (folder / "partial").write_bytes(data)
    return cache.take(hashlib.sha256(data).hexdigest(), folder / "partial")


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "refusing"])
def test_a_store_that_is_gone_is_a_storage_error_and_no_key_is_named(tmp_path: Path, *, is_silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if not is_silent:
            listening.close()
        bucket = Bucket(
            "gone",
            endpoint=f"http://127.0.0.1:{port}",
            access_key_id="id",
            secret_access_key="swordfish",
            allow_http=True,
            timeout_seconds=0.1,
        )
        blobs = BucketBlobs(bucket.open(), "", tmp_path, 1 << 20)
        for call in (lambda: ABSENT in blobs, lambda: blobs.read(ABSENT), lambda: blobs.put(b"x")):
            with pytest.raises(StorageError, match="S3 store does not answer") as failure:
                call()
            assert "swordfish" not in f"{failure.value} {bucket}"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
