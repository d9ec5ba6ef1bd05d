"""The verifying side of TUF: a shipped root, a way to fetch, and targets that can be trusted."""

import fcntl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import TargetFile

from shared import durable
from shared.errors import ChannelError
from shared.trust.build_time import BUILT_AT
from shared.trust.errors import OtherSignerError, TrustError
from shared.trust.following import Fetcher, Follower
from shared.trust.kept import Kept
from shared.trust.verified import Fetch, TrustStanding, VerifiedTarget

DEADLINE_SECONDS = 120.0
"""For a whole look at the metadata, and for a whole download with it."""
TARGET_LIMIT_BYTES = 64 << 10


class TrustClient:
    """Follows the TUF metadata of one family; what was trusted is kept in `directory`, against roll-back.

    Files there that are damaged are fetched anew; the shipped root is what all else is verified with. It is never
    earlier than this program was made, or than the newest verified root or targets metadata were signed, whatever the
    clock says.
    """

    def __init__(
        self,
        directory: Path,
        root: bytes | None,
        fetch: Fetch,
        family: str | None,
        *,
        now: Callable[[], float] = time.time,
        monotonic_seconds: Callable[[], float] = time.monotonic,
        built_at: datetime = BUILT_AT,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            root: the root metadata that the device was shipped with; None where they are lost, so that the newest of
                those kept in `directory` are trusted.
            family: None follows a repository that knows no families, with `metadata/` and `targets/` in its paths.
        """
        self._directory = directory
        self._kept = Kept(directory, root, family)
        self._fetch = fetch
        self._family = family
        self._now = now
        self._monotonic_seconds = monotonic_seconds
        self._built_at = built_at

    def refresh(self) -> TrustStanding:
        """Follow the metadata.

        Raises:
            TrustError: something does not verify.
            ChannelError: the server could not be asked, or did not answer in time; try again.
            OSError: the disk would not take what was fetched.
        """
        with _translated(), self._alone():
            self._follower().refresh()
        return self.standing()

    def download(self, target_path: str, known: Iterable[bytes] = ()) -> VerifiedTarget:
        """Refresh the metadata and fetch one target, unless it is here already.

        Args:
            known: bytes that may be it.

        Raises:
            TrustError: something does not verify, or no such target is signed.
            ChannelError, OSError: as `refresh`.
        """
        with _translated(), self._alone():
            follower = self._follower()
            follower.refresh()
            entry = _signed_entry(follower, target_path)
            data = next((bytes_ for bytes_ in known if _is(entry, bytes_)), None) or self._target(follower, entry)
        custom = entry.unrecognized_fields.get("custom", {})
        return VerifiedTarget(data, dict(custom), self.standing().min_counter)

    def standing(self) -> TrustStanding:
        """What is trusted so far, by the files alone: no process is waited for, and damaged files count as none."""
        return self._kept.standing(self._clock(), self._built_at)

    def _target(self, follower: Follower, entry: TargetFile) -> bytes:
        """The bytes of a target: those downloaded last, where they are it."""
        path = self._directory / "target.partial"
        durable.make_way(path)
        if follower.find_cached_target(entry, str(path)) is None:
            follower.download_target(entry, str(path))
        return path.read_bytes()

    def _follower(self) -> Follower:
        root = self._kept.newest_root()
        if root is None:
            raise TrustError(
                "root.json is lost, and no root is kept: nothing new can be verified; bring root.json back"
            )
        deadline_seconds = self._monotonic_seconds() + DEADLINE_SECONDS
        fetcher = Fetcher(self._fetch, self._family, lambda: deadline_seconds - self._monotonic_seconds())
        return Follower(self._directory, root, fetcher, family=self._family, not_before=self.standing().not_before)

    def _clock(self) -> datetime:
        try:
            return datetime.fromtimestamp(self._now(), UTC)
        except (ValueError, OverflowError, OSError):  # a clock beyond the year 9999
            return datetime.max.replace(tzinfo=UTC)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the directory against other processes: python-tuf replaces files there in several steps."""
        durable.make_directory(self._directory)
        path = self._directory / "lock"
        durable.make_way(path)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is(entry: TargetFile, data: bytes) -> bool:
    try:
        entry.verify_length_and_hashes(data)
    except LengthOrHashMismatchError:
        return False
    return True


@contextmanager
def _translated() -> Iterator[None]:
    """Turn tuf's errors into ours, once, where they enter."""
    try:
        yield
    except UnsignedMetadataError as error:
        raise OtherSignerError(str(error)) from error
    except RepositoryError as error:
        raise TrustError(str(error)) from error
    except DownloadError as error:
        raise ChannelError(f"TUF download failed: {error}") from error


def _signed_entry(follower: Follower, target_path: str) -> TargetFile:
    entry = follower.get_targetinfo(target_path)
    if entry is None:
        raise TrustError(f"{target_path}: no such target is signed")
    if entry.length > TARGET_LIMIT_BYTES:
        raise TrustError(f"{target_path}: a target has at most {TARGET_LIMIT_BYTES} bytes, not {entry.length}")
    return entry
