"""The verifying side of TUF: a shipped root, a way to fetch, and targets that can be trusted."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError, UnsignedMetadataError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from shared.errors import ChannelError, DctwireError
from shared.trust.errors import OtherSignerError, TrustError

Fetch = Callable[[str], Iterator[bytes]]
"""Yields the bytes at a path such as `metadata/timestamp.json`; raises NotPublishedError or ChannelError."""


class NotPublishedError(DctwireError):
    """The server has nothing at this path."""


@dataclass(frozen=True, slots=True)
class VerifiedTarget:
    """A target's bytes, and what the signed entry says beside their hash."""

    data: bytes
    custom: dict[str, Any]


class TrustClient:
    """Follows one server's TUF metadata; what was trusted is kept in `directory`, against roll-back."""

    def __init__(self, directory: Path, root: bytes, fetch: Fetch) -> None:
        self._directory = directory
        self._root = root
        self._fetcher = _Fetcher(fetch)

    def download(self, target_path: str) -> VerifiedTarget:
        """Refresh the metadata and fetch one target.

        Raises:
            TrustError: something does not verify, or no such target is signed.
            ChannelError: the server could not be asked; try again.
        """
        with _Translated(), self._alone():
            updater = self._refreshed()
            entry = updater.get_targetinfo(target_path)
            if entry is None:
                raise TrustError(f"{target_path}: no such target is signed")
            path = updater.download_target(entry, str(self._directory / "target.partial"))
            custom = entry.unrecognized_fields.get("custom", {})
            return VerifiedTarget(Path(path).read_bytes(), dict(custom))

    def targets(self) -> bytes:
        """Refresh, and return the verified targets metadata.

        Raises:
            TrustError, ChannelError: as `download`.
        """
        with _Translated(), self._alone():
            self._refreshed()
            return (self._directory / "targets.json").read_bytes()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the directory against other processes: python-tuf replaces files there in several steps."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _refreshed(self) -> Updater:
        updater = Updater(
            metadata_dir=str(self._directory),
            metadata_base_url="metadata/",
            target_base_url="targets/",
            target_dir=str(self._directory),
            fetcher=self._fetcher,
            config=UpdaterConfig(max_root_rotations=32, targets_max_length=1 << 20, snapshot_max_length=1 << 20),
            bootstrap=self._root,
        )
        updater.refresh()
        return updater


class _Fetcher(FetcherInterface):
    def __init__(self, fetch: Fetch) -> None:
        self._fetch_path = fetch

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._fetch_path(url)
        except NotPublishedError as error:
            raise DownloadHTTPError(str(error), 404) from error


class _Translated:
    """Turns tuf's errors into ours, once, where they enter."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnsignedMetadataError):
            raise OtherSignerError(str(error)) from error
        if isinstance(error, RepositoryError):
            raise TrustError(str(error)) from error
        if isinstance(error, DownloadError):
            raise ChannelError(f"TUF download failed: {error}") from error
