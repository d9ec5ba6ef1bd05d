"""Blobs in a folder of this machine."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_server.storage.blobs import BlobMissingError, Blobs, digest_of, require_digest, storage_errors


class DirectoryBlobs(Blobs):
    """Blobs in a folder: `ab/ab12..`, and `partial/` for what is on its way in."""

    def __init__(self, directory: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._directory = directory
        super().__init__(directory / "partial", sync)

    def __contains__(self, sha256: str) -> bool:
        return self._place(sha256).exists()

    def read(self, sha256: str) -> bytes:
        with _missing_or_unreadable(sha256):
            data = self._place(sha256).read_bytes()
        require_digest(sha256, hashlib.sha256(data).hexdigest(), self._place(sha256))
        return data

    def path(self, sha256: str) -> Path:
        path = self._place(sha256)
        with _missing_or_unreadable(sha256):
            digest = digest_of(path)
        require_digest(sha256, digest, path)
        return path

    def delete(self, sha256: str) -> None:
        with storage_errors(f"blob {sha256} cannot be deleted"):
            self._place(sha256).unlink(missing_ok=True)

    def keep(self, sha256: str, partial: Path) -> None:
        final = self._place(sha256)
        with storage_errors("the blob cannot be kept"):
            final.parent.mkdir(exist_ok=True)
            partial.replace(final)
            for folder in (final.parent, final.parent.parent):
                self._sync_directory(folder)

    def _sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def _place(self, sha256: str) -> Path:
        return self._directory / sha256[:2] / sha256


@contextmanager
def _missing_or_unreadable(sha256: str) -> Iterator[None]:
    with storage_errors(f"blob {sha256} cannot be read"):
        try:
            yield
        except FileNotFoundError as error:
            raise BlobMissingError(sha256) from error
