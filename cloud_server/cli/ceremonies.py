"""What changes who may sign: new keys, keys that go, new roots, and lists that are signed anew."""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cloud_server.cli.floor import falling_of, warn_of_fallen
from cloud_server.cli.known_names import every_bundle
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import TooFewSignaturesError, list_to_sign, require_signed, targets_signers, tell_lost
from cloud_server.cli.signed_lists import SignedLists
from cloud_server.cli.to_sign import goes_on
from cloud_server.registry.floor import Falling
from shared.trust import (
    OFFLINE_ROLES,
    Key,
    KeyFile,
    Passphrase,
    Role,
    RoleChange,
    RootFacts,
    Signer,
    TrustError,
    add_signatures,
    load_keys,
    new_key,
    next_root,
    next_targets,
    parse_targets,
    passphrase_beside,
    require_follows,
    root_file,
    root_file_of,
    verified_targets,
)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Other keys of one role.

    Args:
        held_elsewhere: public halves of keys that are added, too.
        files: of added keys; written once it is known that the change can be.
    """

    role: Role
    added: Sequence[Signer] = ()
    removed: Collection[str] = ()
    threshold: int | None = None
    held_elsewhere: Sequence[Key] = ()
    files: Sequence[KeyFile] = ()

    @property
    def keys(self) -> list[Key]:
        """The public halves of all keys that are added."""
        return [*(one.public_key for one in self.added), *self.held_elsewhere]

    @property
    def in_root(self) -> RoleChange:
        """What it changes in the root."""
        return RoleChange(self.role, self.keys, self.removed, self.threshold)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """One operator's folder of keys, and the server whose roots and lists they sign.

    Args:
        passphrase: of the key files that have one.
        encrypts: whether new offline keys get the passphrase also where none of those beside them has one.
        falling: what that is assigned may fall below a family's floor.
    """

    client: OperatorClient
    keys: Path
    now: datetime
    passphrase: Passphrase
    encrypts: bool = False
    falling: Falling = Falling.NOTHING

    def change_root(self, *changes: KeyChange) -> bytes:
        """Sign the root that follows the newest, and publish it; lists it would disbelieve are signed anew before.

        Without changes the root only lasts longer. Nothing is written before it is known that the change can be.
        Repeated, it goes on with what waits here.

        Raises:
            TooFewSignaturesError: more keys must sign than are here; what waits for them is in files, which it names.
            TrustError: the change cannot be, or a key cannot be read.
            RefusedError, ChannelError: as the server says.
        """
        current = self._lists().root()
        root = self._next_root(current, changes)
        also = [one for change in changes if change.role is Role.TARGETS for one in change.added]
        lists = self._disbelieved(root, also) if any(one.role is Role.TARGETS for one in changes) else {}
        for file in (file for change in changes for file in change.files):
            file.write()
        path = self.keys / root_file_of(root)
        path.write_bytes(root)
        _require_nothing_waits(self._put_signed(lists, (current, root)) + _waits(current, root, path))
        self.push(root)
        return root

    def rotate(self, roles: Collection[Role], online: Path | None) -> bytes:
        """Put new keys in the place of those of some roles that are here, with one root.

        Args:
            online: the server's folder of online keys, where one of the roles is an online one.

        Raises:
            FileExistsError, and as `change_root`.
        """
        return self.change_root(*(self._rotated(role, online) for role in dict.fromkeys(roles)))

    def _rotated(self, role: Role, online: Path | None) -> KeyChange:
        folder = self.keys if role in OFFLINE_ROLES else online
        if folder is None:
            raise TrustError(f"the {role} key lies with the server: name its data folder with --data")
        old = self._named_keys(folder, role)
        return self.with_new_keys(KeyChange(role, removed=old), folder, len(old))

    def with_new_keys(self, change: KeyChange, folder: Path, count: int) -> KeyChange:
        """The same change, with so many new keys of its role; those of a root that waits here come first.

        Raises:
            TrustError: a key cannot be read, or its passphrase is not known.
        """
        begun = self._begun(folder, change.role)[:count]
        made = [self._new_key(folder, change.role) for _ in range(count - len(begun))]
        return replace(change, added=[*begun, *(one.signer for one in made)], files=made)

    def renew(self, families: Sequence[str], *, forgets_lost: bool = False) -> None:
        """Sign the lists of families anew, expired or not, and publish them.

        Args:
            forgets_lost: list no longer what the server has lost, where it may go.

        Raises:
            TooFewSignaturesError: more keys must sign than are here.
            TrustError: a list does not verify by its signatures.
            RefusedError, ChannelError: as the server says.
        """
        lists = self._renewed(families, forgets_lost=forgets_lost)
        _require_nothing_waits(self._put_signed(lists, (self._lists().root(),)))

    def families(self) -> list[str]:
        """Every family of the server's that something is published for."""
        signed = [row["family"] for row in self.client.get("/v1/tuf/status")["families"]]
        return sorted({*signed, *(row["family"] for row in every_bundle(self.client))})

    def push(self, data: bytes) -> bool:
        """Publish a root or a list that enough keys have signed; a root brings those before it that the server lacks.

        Returns:
            False where the server has it already.

        Raises:
            TrustError: it does not follow what the server has.
            RefusedError, ChannelError: as the server says.
        """
        try:
            family = str(parse_targets(data).signed.unrecognized_fields.get("family"))
        except TrustError:
            return self._push_root(data)
        if self._lists().served(family) == data:
            return False
        self._put_targets(family, data)
        return True

    def _next_root(self, current: bytes, changes: Sequence[KeyChange]) -> bytes:
        """The root that follows, signed by those here; the one that waits here, if it says the same."""
        signers = load_keys(self.keys, Role.ROOT, self.passphrase)
        of_root = [change for change in changes if change.role is Role.ROOT]
        signers = _allowed([*signers, *(one for change in of_root for one in change.added)], current, of_root)
        root = next_root(current, signers, self.now, *(change.in_root for change in changes))
        return goes_on(self.keys / root_file_of(root), root, signers, RootFacts.of(current).version)

    def _disbelieved(self, root: bytes, also: Sequence[Signer]) -> dict[str, bytes]:
        """Those lists that carry too few signatures of the keys that a root names, signed anew."""
        lists, families = self._lists(), []
        for family in self.families():
            try:
                verified_targets(root, lists.current(family).targets or b"", family)
            except TrustError:
                families.append(family)
        return self._renewed(families, also) if families else {}

    def _renewed(
        self, families: Sequence[str], also: Sequence[Signer] = (), *, forgets_lost: bool = False
    ) -> dict[str, bytes]:
        """The lists of families, signed anew by the keys here that the root names, and by `also`."""
        signers = [*targets_signers(self._lists(), self.keys, self.passphrase), *also]
        return {family: self._next_list(family, signers, forgets_lost=forgets_lost) for family in families}

    def _next_list(self, family: str, signers: Sequence[Signer], *, forgets_lost: bool) -> bytes:
        current = self._lists().current(family)
        if current.targets is None:
            raise TrustError(f"nothing is signed for family {family}: publish its folders")
        lost = frozenset() if forgets_lost else current.lost
        tell_lost(lost, self.keys)
        kept = lost.union(self.client.get(f"/v1/tuf/{family}/keep")["keep"])
        targets = next_targets(family, current.targets, signers, self.now, kept=kept, behind=current.behind)
        return goes_on(list_to_sign(self.keys, family), targets, signers, parse_targets(current.targets).signed.version)

    def _put_signed(self, lists: Mapping[str, bytes], roots: Sequence[bytes]) -> list[str]:
        """Publish those lists that enough keys have signed for each of some roots; says what waits for more."""
        waits = []
        for family, targets in lists.items():
            try:
                self._put_targets(family, require_signed(roots, targets, family, self.keys))
            except TooFewSignaturesError as error:
                waits.append(str(error))
        return waits

    def _begun(self, folder: Path, role: Role) -> list[Signer]:
        """Keys here that a root which waits here adds to a role."""
        current = RootFacts.of(self._lists().root())
        path = self.keys / root_file(current.version + 1)
        if not path.exists():
            return []
        added = set(RootFacts.of(path.read_bytes()).roles[role].keyids) - set(current.roles[role].keyids)
        return [one for one in load_keys(folder, role, self.passphrase) if one.public_key.keyid in added]

    def _new_key(self, folder: Path, role: Role) -> KeyFile:
        """One more key of a role; an offline one gets a passphrase where the keys beside it have one."""
        if role not in OFFLINE_ROLES:
            return new_key(folder, role)
        secret = passphrase_beside(folder, self.passphrase)
        return new_key(folder, role, passphrase=self.passphrase(folder) if self.encrypts else secret)

    def _named_keys(self, folder: Path, role: Role) -> list[str]:
        """The ids of the keys in a folder that the newest root names for a role."""
        named = set(RootFacts.of(self._lists().root()).roles[role].keyids)
        here = [one.public_key.keyid for one in load_keys(folder, role, self.passphrase)]
        if not named & set(here):
            raise TrustError(f"{folder} has no {role} key that the root names")
        return [keyid for keyid in here if keyid in named]

    def _push_root(self, root: bytes) -> bool:
        lists = self._lists()
        newest = lists.root()
        for version in range(RootFacts.of(newest).version + 1, RootFacts.of(root).version):
            between = lists.kept_root(version)
            if between is None:
                raise TrustError(f"root version {version} is missing here and on the server")
            self._put_root(newest, between)
            newest = between
        is_new = root != newest
        if is_new:
            self._put_root(newest, root)
        lists.keep_root(root)
        return is_new

    def _put_root(self, newest: bytes, root: bytes) -> None:
        require_follows(newest, root)
        self.client.put_nothing_back("/v1/tuf/root", {"root": base64.b64encode(root).decode()})

    def _put_targets(self, family: str, targets: bytes) -> None:
        lists, body = self._lists(), {"targets": base64.b64encode(targets).decode()}
        falling = falling_of(lists, family, targets, self.falling)
        if falling is not Falling.NOTHING:
            body["raise_floor"] = falling
        below = self.client.put(f"/v1/tuf/{family}/targets", body)
        lists.keep(family, targets)
        warn_of_fallen(family, below)

    def _lists(self) -> SignedLists:
        return SignedLists(self.client, self.keys)


def sign(data: bytes, keys: Path, passphrase: Passphrase) -> bytes:
    """Add the signatures of the keys in a folder to a root or a list; no server is asked.

    A key that joins is named by a root that waits beside `root.json`, such as `2.root.json`.

    Raises:
        TrustError: none of them may sign it.
    """
    found = {role: load_keys(keys, role, passphrase) for role in OFFLINE_ROLES}
    root = (keys / "root.json").read_bytes()
    following = keys / root_file(RootFacts.of(root).version + 1)
    for one in (root, *([following.read_bytes()] if following.exists() else [])):
        signed, count = add_signatures(data, one, found)
        if count:
            return signed
    raise TrustError(
        f"{keys} has no key that may sign this by {keys / 'root.json'}, which may be an old one: take it anew from "
        "whoever sent you the file, with the N.root.json beside it, if there is one"
    )


def _waits(current: bytes, root: bytes, path: Path) -> list[str]:
    """What a root waits for; nothing where enough have signed it."""
    try:
        require_follows(current, root)
    except TrustError as error:
        return [f"{error}; {path} waits for the others"]
    return []


def _require_nothing_waits(waits: Sequence[str]) -> None:
    if waits:
        raise TooFewSignaturesError(". ".join(waits))


def _allowed(signers: Sequence[Signer], current: bytes, of_root: Sequence[KeyChange]) -> list[Signer]:
    """Those of root's keys that this root or the next one names: signatures of others say nothing."""
    named = {*RootFacts.of(current).roles[Role.ROOT].keyids}
    named |= {key.keyid for change in of_root for key in change.keys}
    return [one for one in {one.public_key.keyid: one for one in signers}.values() if one.public_key.keyid in named]
