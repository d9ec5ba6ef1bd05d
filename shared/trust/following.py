"""python-tuf's client, with files that survive power cuts, metadata of one family only, and a floor under its clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from shared import durable
from shared.errors import ChannelError
from shared.trust.errors import TrustError
from shared.trust.metadata import signed_at_of
from shared.trust.verified import Fetch, NotPublishedError

ROOT_ROTATIONS_MAX = 32
"""New roots that one look takes; further ones are for the next."""
ROOT_LIMIT_BYTES = 64 << 10
TIMESTAMP_LIMIT_BYTES = 16 << 10
SNAPSHOT_LIMIT_BYTES = 64 << 10
TARGETS_LIMIT_BYTES = 256 << 10
ROOTS = "root_history"


class Follower(Updater):
    """One look at a repository. What it keeps has been verified, and is on disk when a call returns.

    python-tuf offers its storage and its clock for no change, so that what this class replaces are internals of it;
    `tests/shared/trust/test_client.py` notices where another version of it would pass them by.
    """

    def __init__(
        self, directory: Path, root: bytes, fetcher: FetcherInterface, *, family: str | None, not_before: datetime
    ) -> None:
        """Begin with a trusted root.

        Args:
            family: metadata that say they belong to another one, or to none, are neither used nor kept; None: to any.
            not_before: the time that it is at least.

        Raises:
            OSError: the disk would not take the root.
            RepositoryError: `root` does not verify itself.
        """
        self._family = family
        self._folder = directory
        durable.make_directory(directory)
        durable.make_directory(directory / ROOTS)
        super().__init__(
            metadata_dir=str(directory),
            metadata_base_url="metadata/",
            target_base_url="targets/",
            target_dir=str(directory),
            fetcher=fetcher,
            config=UpdaterConfig(
                max_root_rotations=ROOT_ROTATIONS_MAX,
                root_max_length=ROOT_LIMIT_BYTES,
                timestamp_max_length=TIMESTAMP_LIMIT_BYTES,
                snapshot_max_length=SNAPSHOT_LIMIT_BYTES,
                targets_max_length=TARGETS_LIMIT_BYTES,
            ),
            bootstrap=root,
        )
        self._trusted_set.reference_time = not_before

    def _load_root(self) -> None:
        super()._load_root()
        signed_at = credible_signed_at(self._trusted_set.root)
        if signed_at is not None and signed_at > self._trusted_set.reference_time:
            self._trusted_set.reference_time = signed_at

    def _load_local_metadata(self, rolename: str) -> bytes:
        return self._of_family(rolename, super()._load_local_metadata(rolename))

    def _download_metadata(self, rolename: str, length: int, version: int | None = None) -> bytes:
        return self._of_family(rolename, super()._download_metadata(rolename, length, version))

    def _of_family(self, rolename: str, data: bytes) -> bytes:
        """Refuse metadata of another family before any of it is used."""
        if self._family is not None and rolename != Root.type:
            found = Metadata.from_bytes(data).signed.unrecognized_fields.get("family")
            if found != self._family:
                raise RepositoryError(f"{rolename} metadata of family {found!r} where {self._family} was expected")
        return data

    def _persist_file(self, filename: str, data: bytes) -> None:
        path = Path(filename)
        if path.is_symlink() or durable.bytes_of(path) != data:
            durable.write_file(path, data, mode=0o600)

    def _update_root_symlink(self) -> None:
        current = f"{ROOTS}/{self._trusted_set.root.version}.root.json"
        link = self._folder / "root.json"
        if not (link.is_symlink() and str(link.readlink()) == current):
            durable.point_link(link, current)


class Fetcher(FetcherInterface):
    """Asks `fetch` for files by their names in a family's repository, all of them before one deadline."""

    def __init__(self, fetch: Fetch, family: str | None, seconds_left: Callable[[], float]) -> None:
        """Prepare.

        Args:
            family: whose repository it is; None asks for `metadata/...` and `targets/...` as TUF names them.
            seconds_left: until the deadline.
        """
        self._fetch_path = fetch
        self._family = family
        self._seconds_left = seconds_left
        self._limit_bytes = 0

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        self._limit_bytes = max_length
        with super().download_file(url, max_length) as file:
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        seconds = self._seconds_left()
        if seconds <= 0:
            raise ChannelError(f"no time was left to fetch {url}")
        try:
            for chunk in self._fetch_path(self._path(url), self._limit_bytes, seconds):
                if self._seconds_left() <= 0:
                    raise ChannelError(f"{url}: not whole in time")
                yield chunk
        except NotPublishedError as error:
            raise DownloadHTTPError(str(error), 404) from error

    def _path(self, url: str) -> str:
        if self._family is None:
            return url
        kind, _, name = url.partition("/")
        if kind == "targets" or name.endswith(".root.json"):  # a target's path begins with its family
            return name
        return f"{self._family}/{name}"


def credible_signed_at(root_or_targets: Root | Targets) -> datetime | None:
    """When metadata were signed offline; None where they do not say, or name a time at which they have expired."""
    try:
        signed_at = signed_at_of(root_or_targets)
    except TrustError:
        return None
    return signed_at if signed_at is not None and signed_at < root_or_targets.expires else None
