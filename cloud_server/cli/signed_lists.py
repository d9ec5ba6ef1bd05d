"""The signed list of each family, as an operator trusts it: the newer of the server's and of the one kept here.

What this operator has verified or signed is kept in `KEYS/verified`: a server cannot take the operator back to an older
list, and one whose backup was restored is brought up to date by the next signature.
"""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from cloud_server.cli.operator_client import OperatorClient
from shared.bundle import settings_counter
from shared.errors import RefusedError
from shared.trust import (
    NotPublishedError,
    OtherSignerError,
    TrustError,
    floor_of,
    newest_root,
    old_targets_of,
    parse_targets,
    root_file,
    root_file_of,
    verified_targets,
)

_NOT_FOUND = 404
_SUFFIX = ".targets.json"
_FOLDERS = "folders.json"


@dataclass(frozen=True, slots=True)
class Current:
    """A family's newest genuine list (None before the first).

    Args:
        lost: the paths of models in it of which the server has no record: a backup from before was restored. Settings
            that it lost are set again, and go from the list with the next signature.
        is_ahead: the server has an older list, or none.
        behind: that older list.
    """

    targets: bytes | None
    lost: frozenset[str]
    is_ahead: bool = False
    behind: bytes | None = None


class SignedLists:
    """One server's signed lists, verified with a root that the operator holds.

    Args:
        keys: the operator's folder, with `root.json`.
    """

    def __init__(self, client: OperatorClient, keys: Path) -> None:
        self._client = client
        self._keys = keys
        self._shipped = (keys / "root.json").read_bytes()
        self._folder = keys / "verified"

    def root(self) -> bytes:
        """The newest root that the server has, as far as it leads on from the operator's.

        Raises:
            OtherSignerError: the server has another root of the operator's version.
            TrustError: a newer one is not signed as it must be.
        """
        served = self._read(root_file_of(self._shipped))
        if served is not None and served != self._shipped:
            raise OtherSignerError("the server has another root")
        return newest_root(self._shipped, self._read)

    def keep_root(self, root: bytes) -> None:
        """Remember a root that follows the operator's, beside those before it, and ship it from now on."""
        for name in (root_file_of(root), "root.json"):
            partial = self._keys / f"{name}.partial"
            partial.write_bytes(root)
            partial.replace(self._keys / name)
        self._shipped = root

    def kept_root(self, version: int) -> bytes | None:
        """A version of the root that is remembered here."""
        path = self._keys / root_file(version)
        return path.read_bytes() if path.exists() else None

    def current(self, family: str) -> Current:
        """A family's newest genuine list, expired or not.

        Raises:
            OtherSignerError: too few of root's keys have signed the server's list.
            TrustError: it is damaged, or another family's.
        """
        root = self.root()
        served, kept = self._served(root, family), self._kept(root, family)
        is_ahead = kept is not None and (served is None or _version(served) < _version(kept))
        newest = kept if is_ahead else served
        lost = _models(newest) - self._recorded() if newest is not None else set()
        return Current(newest, frozenset(lost), is_ahead, served if is_ahead else None)

    def families(self) -> set[str]:
        """The families whose lists are remembered here."""
        return {path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}")}

    def remember_folder(self, path: str, folder: Path) -> None:
        """Remember from which folder a target was published; `restoring` publishes it from there again."""
        self._write(_FOLDERS, json.dumps(self._folders() | {path: str(folder.resolve())}).encode())

    def folder_of(self, path: str) -> Path | None:
        """The folder from which a target was published; None where that is not known here."""
        found = self._folders().get(path)
        return None if found is None else Path(found)

    def served(self, family: str) -> bytes | None:
        """The server's list of a family, verified; errors as for `current`."""
        return self._served(self.root(), family)

    def kept_floor(self, family: str) -> int:
        """The floor of the list that is remembered here, which the server had; 0 where there is none."""
        kept = self._kept(self.root(), family)
        return 0 if kept is None else floor_of(parse_targets(kept).signed)

    def keep(self, family: str, targets: bytes) -> None:
        """Remember a list that this operator signed, or has verified."""
        self._write(f"{family}{_SUFFIX}", targets)

    def _served(self, root: bytes, family: str) -> bytes | None:
        try:
            data = self._client.get_bytes(f"/v1/tuf/{family}/targets")
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        old = old_targets_of(root, data, family)
        if old is None:
            verified_targets(root, data, family)
        return old or data

    def _kept(self, root: bytes, family: str) -> bytes | None:
        """The list kept here; None where there is none, or where root's keys have changed or it is damaged."""
        try:
            data = self._path(family).read_bytes()
            verified_targets(root, data, family)
        except (OSError, TrustError):
            return None
        return data

    def _path(self, family: str) -> Path:
        return self._folder / f"{family}{_SUFFIX}"

    def _write(self, name: str, data: bytes) -> None:
        self._folder.mkdir(exist_ok=True, mode=0o700)
        partial = self._folder / f"{name}.{os.getpid()}-{threading.get_ident()}.partial"
        partial.write_bytes(data)
        partial.replace(self._folder / name)

    def _folders(self) -> dict[str, str]:
        try:
            return dict(json.loads((self._folder / _FOLDERS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return {}

    def _recorded(self) -> set[str]:
        """The target paths of everything that the server has a record of."""
        rows = [row for kind in ("bundles", "fallbacks") for row in self._client.get(f"/v1/{kind}")[kind]]
        return {f"{row['name']}.json" for row in rows}

    def _read(self, name: str) -> bytes | None:
        try:
            return b"".join(self._client.fetch_tuf(name))
        except NotPublishedError:
            return None


def _models(targets: bytes) -> set[str]:
    paths = parse_targets(targets).signed.targets
    return {path for path in paths if settings_counter(path) is None}


def _version(targets: bytes) -> int:
    return parse_targets(targets).signed.version
