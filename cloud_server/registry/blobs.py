"""Files named by their SHA-256, created once and never changed."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import PeerError


class BlobDigestError(PeerError):
    """The bytes are not the ones their name promises."""


class BlobMissingError(PeerError):
    """No blob with this digest has been uploaded."""

    code = "invalid-bundle"


class Upload:
    """A blob on its way in: bytes are written beside the store and moved into it once their digest is right."""

    def __init__(self, partial: Path, final: Path) -> None:
        self._partial = partial
        self._final = final
        self._file = partial.open("wb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self._digest.update(data)

    def finish(self) -> None:
        """Make the blob visible, durably.

        Raises:
            BlobDigestError: what was written is not what the name promises; nothing becomes visible.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._digest.hexdigest() != self._final.name:
            raise BlobDigestError(f"these bytes are {self._digest.hexdigest()}, not {self._final.name}")
        self._final.parent.mkdir(exist_ok=True)
        self._partial.replace(self._final)
        for folder in (self._final.parent, self._final.parent.parent):
            _sync_directory(folder)

    def drop(self) -> None:
        """Forget what has not become visible."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class Blobs:
    """A directory of blobs: `ab/ab12..`, and `partial/` for what is on its way in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._partials = directory / "partial"
        self._partials.mkdir(parents=True, exist_ok=True)
        for left_over in self._partials.iterdir():
            left_over.unlink()

    def __contains__(self, sha256: str) -> bool:
        return self._path(sha256).exists()

    @contextmanager
    def upload(self, sha256: str) -> Iterator[Upload]:
        """Take in a blob; leaving without `finish` forgets it."""
        descriptor, name = tempfile.mkstemp(dir=self._partials)
        os.close(descriptor)
        upload = Upload(Path(name), self._path(sha256))
        try:
            yield upload
        finally:
            upload.drop()

    def path(self, sha256: str) -> Path:
        """Where the blob lies, its bytes read and found to be the ones its name promises.

        Raises:
            BlobMissingError: it was never uploaded.
            BlobDigestError: the disk gives back other bytes.
        """
        path = self._path(sha256)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise BlobMissingError(f"no blob {sha256} has been uploaded; PUT it to /v1/blobs/{sha256}") from error
        if digest != sha256:
            raise BlobDigestError(f"{path} has become {digest}")
        return path

    def _path(self, sha256: str) -> Path:
        return self._directory / sha256[:2] / sha256


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
