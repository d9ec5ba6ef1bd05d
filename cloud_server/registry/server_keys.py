"""The server's online keys: which of them the newest root names, and which are missing in this process's folder."""

from pathlib import Path

import structlog

from cloud_server.errors import OnlineKeyMissingError
from shared.trust import (
    ONLINE_ROLES,
    KeyFileError,
    Read,
    Repository,
    Role,
    RootFacts,
    Signer,
    TrustError,
    key_files,
    newest_root,
    require_root,
)

_UNUSABLE_ADVICE = "the other keys of the folder are used; move this file away, or copy it here again where it is a key"
_log = structlog.get_logger()


class ServerKeys:
    """What `dctwire trust` made for the server: the root that it began with, and its online keys.

    The folder may hold several keys of a role, `timestamp.pem` and `timestamp-<id>.pem`: the newest root says which one
    signs. So a new key lies there before a root names it, and the old one until then. What is put there later is found
    as soon as it is needed. A file that is no key is told of, and passed over.
    """

    def __init__(self, folder: Path) -> None:
        """Read the folder's root.

        Raises:
            TrustError: it is missing or damaged.
        """
        self.folder = folder
        self._signers: dict[str, Signer] = {}
        self._told: set[str] = set()
        try:
            self.root = (folder / "root.json").read_bytes()
        except OSError as error:
            raise TrustError(f"{error.filename}: {error.strerror}") from error
        require_root(self.root)

    def missing(self, root: bytes) -> tuple[str, ...]:
        """The keys of a root's online roles that are not here, as their files would be called, without the ending."""
        names = []
        for role in ONLINE_ROLES:
            try:
                self._signer(root, role)
            except OnlineKeyMissingError as error:
                names.append(error.name)
        return tuple(names)

    def require_signers(self, root: bytes) -> None:
        """Whether a key is here for each of a root's online roles.

        Raises:
            OnlineKeyMissingError: there is none; holders of this root would believe nothing that is signed here.
        """
        for role in ONLINE_ROLES:
            self._signer(root, role)

    def repository(self, read: Read, family: str) -> Repository:
        """A family's repository, on the files that `read` gives.

        Raises:
            TrustError: the chain of roots is broken.
            OnlineKeyMissingError: there is no key for the newest.
        """
        root = newest_root(self.root, read)
        snapshot_signer, timestamp_signer = (self._signer(root, role) for role in (Role.SNAPSHOT, Role.TIMESTAMP))
        return Repository(
            read, family=family, root=root, snapshot_signer=snapshot_signer, timestamp_signer=timestamp_signer
        )

    def _signer(self, root: bytes, role: Role) -> Signer:
        keyids, cause = RootFacts.of(root).roles[role].keyids, ""
        if not self._signers.keys() & set(keyids):
            cause = self._look(role)
        for keyid in keyids:
            if keyid in self._signers:
                return self._signers[keyid]
        raise OnlineKeyMissingError(role, keyids[0], self.folder, cause)

    def _look(self, role: Role) -> str:
        """Take up a role's keys from the folder; why other files there are none (yet)."""
        found = [one for _, one in key_files(self.folder, role)]
        self._signers |= {one.public_key.keyid: one for one in found if not isinstance(one, KeyFileError)}
        causes = [str(one) for one in found if isinstance(one, KeyFileError)]
        for cause in causes:
            if cause not in self._told:
                self._told.add(cause)
                _log.warning("online-key-file-unusable", cause=cause, advice=_UNUSABLE_ADVICE)
        return "; ".join(causes)
