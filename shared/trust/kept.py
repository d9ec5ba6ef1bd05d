"""What a device keeps of TUF's metadata, read and verified anew: damage counts as nothing, and is never trusted."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tuf.api.metadata import Metadata, Root, Targets, Timestamp

from shared import durable
from shared.trust.errors import TrustError
from shared.trust.following import ROOTS, credible_signed_at
from shared.trust.keys import Role
from shared.trust.metadata import floor_of, parse, require_family, verify
from shared.trust.verified import TrustStanding

STALE_AFTER = timedelta(days=7)
"""How long after its expiry a timestamp may be the last one: a device looks once a day, and a line may be down."""
ROOTS_MAX = 2048
"""Files of roots that are looked at."""

_S = TypeVar("_S", Targets, Timestamp)


class Kept:
    """Reads the files of one directory.

    Args:
        root: the shipped root; None where it is lost.
    """

    def __init__(self, directory: Path, root: bytes | None, family: str | None) -> None:
        self._directory = directory
        self._shipped = root
        self._family = family

    def newest_root(self) -> bytes | None:
        """The newest root that the shipped one leads to; without that one, the newest that verifies itself.

        A root is taken where the one before it signed it, also over missing versions: what lies here was verified
        version by version before, and damage to one file must not take the device back to keys that were changed.
        """
        trusted = self._anchor()
        if trusted is None:
            return None
        data, root = trusted
        for candidate in self._roots():
            found = _root(candidate)
            if found is not None and found.signed.version > root.version and _follows(found, root):
                data, root = candidate, found.signed
        return data

    def standing(self, now: datetime, built_at: datetime) -> TrustStanding:
        """How far the metadata were followed, judged at `now`."""
        data = self.newest_root()
        root = None if data is None else parse(data, Root).signed
        targets = None if root is None else self._verified(root, Targets)
        timestamp = None if root is None else self._verified(root, Timestamp)
        signed = [credible_signed_at(content) for content in (root, targets) if content is not None]
        signed_at = max((moment for moment in signed if moment is not None), default=None)
        time_floor = built_at if signed_at is None else max(built_at, signed_at)
        not_before = max(now, time_floor)
        offline = [content for content in (root, targets) if content is not None]
        has_expired = any(content.is_expired(not_before) for content in offline)
        is_cut_off = timestamp is not None and _plus(timestamp.expires, STALE_AFTER) <= not_before
        return TrustStanding(
            root_version=0 if root is None else root.version,
            targets_version=0 if targets is None else targets.version,
            signed_at=signed_at,
            time_floor=time_floor,
            not_before=not_before,
            min_counter=0 if targets is None else _floor(targets),
            is_stale=has_expired or is_cut_off,
        )

    def _anchor(self) -> tuple[bytes, Root] | None:
        """The root that all others are verified with."""
        candidates = self._roots()[::-1] if self._shipped is None or _root(self._shipped) is None else [self._shipped]
        for data in candidates:
            found = _root(data)
            if found is not None and _follows(found, found.signed):
                return data, found.signed
        return None

    def _roots(self) -> list[bytes]:
        """Roots on disk, by version."""
        try:
            names = [path.name for path in (self._directory / ROOTS).iterdir() if path.name.endswith(".root.json")]
        except OSError:
            return []
        numbers = sorted(int(number) for name in names if (number := name.partition(".")[0]).isdecimal())
        found = (self._bytes(f"{ROOTS}/{number}.root.json") for number in numbers[-ROOTS_MAX:])
        return [data for data in found if data]

    def _verified(self, root: Root, kind: type[_S]) -> _S | None:
        try:
            metadata = parse(self._bytes(f"{kind.type}.json"), kind)
            verify(root, Role(kind.type), metadata)
            if self._family is not None:
                require_family(metadata.signed, self._family)
        except TrustError:
            return None
        return metadata.signed

    def _bytes(self, name: str) -> bytes:
        return durable.bytes_of(self._directory / name)


def _root(data: bytes) -> Metadata[Root] | None:
    try:
        return parse(data, Root)
    except TrustError:
        return None


def _follows(metadata: Metadata[Root], before: Root) -> bool:
    """Whether a root is signed by the keys of the one before and by its own."""
    try:
        verify(before, Role.ROOT, metadata)
        verify(metadata.signed, Role.ROOT, metadata)
    except TrustError:
        return False
    return True


def _floor(targets: Targets) -> int:
    try:
        return floor_of(targets)
    except TrustError:
        return 0


def _plus(moment: datetime, more: timedelta) -> datetime:
    try:
        return moment + more
    except OverflowError:
        return moment
