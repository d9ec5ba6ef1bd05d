"""Blobs: files named by their SHA-256, created once and never changed. Each place to keep them is a module beside."""

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cloud_server.errors import StorageError
from shared.errors import PeerError


class BlobDigestError(PeerError):
    """The bytes are not the ones their name promises."""


class BlobMissingError(PeerError):
    """No blob with this digest has been uploaded."""

    code = "invalid-bundle"

    def __init__(self, sha256: str) -> None:
        super().__init__(f"no blob {sha256} has been uploaded; PUT it to /v1/blobs/{sha256}")


class Upload:
    """A blob on its way in: bytes are written to a file of their own and kept once their digest is right."""

    def __init__(self, blobs: "Blobs", sha256: str, partial: Path) -> None:
        self._blobs = blobs
        self._sha256 = sha256
        self._partial = partial
        self._file = partial.open("wb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            StorageError: the disk does not take them.
        """
        with storage_errors("the blob cannot be written"):
            self._file.write(data)
        self._digest.update(data)

    def finish(self) -> None:
        """Make the blob visible, durably.

        Raises:
            BlobDigestError: what was written is not what the name promises; nothing becomes visible.
            StorageError: it could not be kept.
        """
        with storage_errors("the blob cannot be written"):
            self._file.flush()
            self._blobs.sync(self._file.fileno())
            self._file.close()
        if self._digest.hexdigest() != self._sha256:
            raise BlobDigestError(f"these bytes are {self._digest.hexdigest()}, not {self._sha256}")
        self._blobs.keep(self._sha256, self._partial)

    def drop(self) -> None:
        """Forget what has not become visible."""
        with suppress(OSError):  # a full disk also fails the flush in close
            self._file.close()
        self._partial.unlink(missing_ok=True)


class Blobs(ABC):
    """Blobs by digest. All of it blocks: for threads, not for the event loop.

    Every call that meets the store raises StorageError when the store does not answer in time.

    Args:
        partials: a folder of ours alone, for what is on its way in; what a killed process left there is deleted.
        sync: makes what a file descriptor's file or folder holds survive a power cut.
    """

    def __init__(self, partials: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._partials = partials
        self.sync = sync
        partials.mkdir(parents=True, exist_ok=True)
        for left_over in partials.iterdir():
            left_over.unlink()

    @abstractmethod
    def __contains__(self, sha256: str) -> bool:
        """Whether the blob has been uploaded."""

    @abstractmethod
    def read(self, sha256: str) -> bytes:
        """A blob's bytes, checked.

        Raises:
            BlobMissingError: it was never uploaded.
            BlobDigestError: the store gives back other bytes.
        """

    @abstractmethod
    def path(self, sha256: str) -> Path:
        """A local file with the blob's bytes, checked.

        Raises:
            BlobMissingError, BlobDigestError: as `read`.
        """

    @abstractmethod
    def delete(self, sha256: str) -> None:
        """Forget a blob; one that is not there is forgotten already."""

    @abstractmethod
    def keep(self, sha256: str, partial: Path) -> None:
        """Take over a complete, synced file whose digest is right; durable on return. Only `Upload` calls this."""

    def put(self, data: bytes) -> str:
        """Keep these bytes, durably; returns their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self.upload(sha256) as upload:
            upload.write(data)
            upload.finish()
        return sha256

    @contextmanager
    def upload(self, sha256: str) -> Iterator[Upload]:
        """Take in a blob; leaving without `finish` forgets it."""
        upload = Upload(self, sha256, self.new_partial())
        try:
            yield upload
        finally:
            upload.drop()

    def new_partial(self) -> Path:
        """A new empty file among the partial ones."""
        with storage_errors("the blob cannot be written"):
            descriptor, name = tempfile.mkstemp(dir=self._partials)
            os.close(descriptor)
        return Path(name)


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turns what the disk says into our error, once, where it enters."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror}") from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_digest(sha256: str, found: str, where: object) -> None:
    """Whether a blob is the one its name promises.

    Raises:
        BlobDigestError: it is not.
    """
    if found != sha256:
        raise BlobDigestError(f"{where} has become {found}")
