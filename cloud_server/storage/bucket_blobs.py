"""Blobs in an S3 store, and the checked copies of them that this machine holds."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from cloud_server.errors import StorageError
from cloud_server.storage.blobs import BlobMissingError, Blobs, digest_of, require_digest, storage_errors

PART_BYTES = 8 << 20
"""What one request carries at most: a larger blob comes and goes in parts, each with a timeout of its own."""
CACHE_GRACE_SECONDS = 600.0
"""A cached file that was handed out is left alone for so long: whoever asked for it may not have opened it yet."""


@dataclass(frozen=True)
class Bucket:
    """An S3 bucket and how to reach it; without keys, what AWS's own environment variables say is used.

    Attributes:
        endpoint: URL of a store that is not AWS; path-style requests unless `virtual_hosted`.
        timeout_seconds: of one request; at most `retries` more follow a failed one, for as long again.
    """

    name: str
    region: str = "us-east-1"
    endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    virtual_hosted: bool = False
    allow_http: bool = False
    timeout_seconds: float = 10.0
    retries: int = 2

    def __repr__(self) -> str:
        """Without keys: this may be logged."""
        return f"Bucket({self.name!r}, endpoint={self.endpoint!r})"

    def open(self) -> S3Store:
        """A client of the bucket; nothing is asked of it yet."""
        timeout = timedelta(seconds=self.timeout_seconds)
        return S3Store(
            self.name,
            config={
                "region": self.region,
                "virtual_hosted_style_request": self.virtual_hosted,
                **({"endpoint": self.endpoint} if self.endpoint else {}),
                **({"access_key_id": self.access_key_id} if self.access_key_id else {}),
                **({"secret_access_key": self.secret_access_key} if self.secret_access_key else {}),
            },
            client_options={"timeout": timeout, "connect_timeout": timeout / 4, "allow_http": self.allow_http},
            retry_config={
                "max_retries": self.retries,
                "retry_timeout": timeout,
                "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1)},
            },
        )


class BucketBlobs(Blobs):
    """Blobs as objects `<prefix>ab/ab12..`; `path` copies them into `cache`, which holds about `cache_max_bytes`."""

    def __init__(self, store: S3Store, prefix: str, cache: Path, cache_max_bytes: int) -> None:
        self._store = store
        self._prefix = prefix
        self._cache = Cache(cache, cache_max_bytes)
        super().__init__(cache / "partial")

    def __contains__(self, sha256: str) -> bool:
        try:
            with self._answering(sha256):
                obstore.head(self._store, self._key(sha256))
        except BlobMissingError:
            return False
        return True

    def read(self, sha256: str) -> bytes:
        data = b"".join(self._parts(sha256))
        require_digest(sha256, hashlib.sha256(data).hexdigest(), self._key(sha256))
        return data

    def path(self, sha256: str) -> Path:
        return self._cache.find(sha256) or self._fetch(sha256)

    def delete(self, sha256: str) -> None:
        self._cache.forget(sha256)
        with self._answering(sha256):
            obstore.delete(self._store, self._key(sha256))

    def keep(self, sha256: str, partial: Path) -> None:
        is_small = partial.stat().st_size <= PART_BYTES
        with self._answering(sha256):
            # A multipart upload cannot be create-only; what it would replace has the same digest.
            mode: Literal["create", "overwrite"] = "create" if is_small else "overwrite"
            with suppress(AlreadyExistsError):
                obstore.put(self._store, self._key(sha256), partial, mode=mode, chunk_size=PART_BYTES)
        self._cache.take(sha256, partial)

    def _fetch(self, sha256: str) -> Path:
        partial, digest = self.new_partial(), hashlib.sha256()
        try:
            with storage_errors("the cache cannot be written"), partial.open("wb") as file:
                for part in self._parts(sha256):
                    digest.update(part)
                    file.write(part)
            require_digest(sha256, digest.hexdigest(), self._key(sha256))
            return self._cache.take(sha256, partial)
        finally:
            partial.unlink(missing_ok=True)

    def _parts(self, sha256: str) -> Iterator[bytes]:
        key = self._key(sha256)
        with self._answering(sha256):
            size = obstore.head(self._store, key)["size"]
            for start in range(0, size, PART_BYTES):
                yield bytes(obstore.get_range(self._store, key, start=start, end=min(start + PART_BYTES, size)))

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{sha256[:2]}/{sha256}"

    @contextmanager
    def _answering(self, sha256: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise BlobMissingError(sha256) from error
        except (BaseError, OSError) as error:
            raise StorageError(f"the S3 store does not answer: {type(error).__name__}") from error


class Cache:
    """Local copies by digest. The least recently used go when there are more than `max_bytes` of them."""

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        grace_seconds: float = CACHE_GRACE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._grace_seconds = grace_seconds
        self._now = now
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, sha256: str) -> Path | None:
        """The copy, checked; one that rotted is dropped."""
        path = self._directory / sha256
        try:
            os.utime(path)
            if digest_of(path) == sha256:
                return path
        except OSError:  # not there, or not readable: fetched again either way
            return None
        self.forget(sha256)
        return None

    def take(self, sha256: str, partial: Path) -> Path:
        """Move a checked file in, and make room for it."""
        path = self._directory / sha256
        with storage_errors("the cache cannot be written"):
            partial.replace(path)
            path.touch()
            self._evict()
        return path

    def forget(self, sha256: str) -> None:
        """Drop a copy."""
        with storage_errors("the cache cannot be written"):
            (self._directory / sha256).unlink(missing_ok=True)

    def _evict(self) -> None:
        """Drop what was handed out longest ago; only a copy that nobody can be about to open."""
        copies = sorted((entry.stat().st_mtime, entry.stat().st_size, entry) for entry in self._files())
        excess = sum(size for _, size, _ in copies) - self._max_bytes
        for handed_out, size, entry in copies:
            if excess <= 0 or self._now() - handed_out < self._grace_seconds:
                return
            entry.unlink(missing_ok=True)
            excess -= size

    def _files(self) -> list[Path]:
        return [entry for entry in self._directory.iterdir() if entry.is_file()]
