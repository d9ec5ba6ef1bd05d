"""Whoever holds the line and some of the keys: makes any metadata of a family, and answers with them."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from harness.fault_proxy import FaultProxy, Rule
from harness.faults import AnswerItself, ProxiedReply, Replace
from shared.bundle import Bundle
from shared.trust import OFFLINE_ROLES, ONLINE_ROLES, Role, load_keys
from tests.attacks.field import Field

Files = dict[str, bytes]
"""By their names, as devices fetch them below /tuf/."""
JSON = {"content-type": "application/json"}


def stranger() -> Signer:
    """A key that nobody ever named."""
    return CryptoSigner.generate_ed25519()


@dataclass
class Chain:
    """A family's metadata before they are signed: change what is to be wrong, then sign."""

    family: str
    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp
    bundles: Files = field(default_factory=dict)

    def add(self, path: str, data: bytes, custom: Mapping[str, Any]) -> None:
        """List a target, and have its bytes at hand."""
        entry = TargetFile.from_data(path, data, ["sha256"])
        entry.unrecognized_fields["custom"] = dict(custom)
        self.targets.targets[path] = entry
        name = path.rpartition("/")[2]
        self.bundles[f"{self.family}/{entry.hashes['sha256']}.{name}"] = data

    def raise_versions(self, by: int = 1) -> None:
        """Make it newer than the one it was made of, all along."""
        self.targets.version += by
        self.snapshot.version += by
        self.timestamp.version += by
        self.snapshot.meta["targets.json"] = MetaFile(self.targets.version)
        self.timestamp.snapshot_meta = MetaFile(self.snapshot.version)

    def signed(self, signers: Mapping[Role, Sequence[Signer]]) -> Files:
        """The files, signed by these."""
        return {
            f"{self.family}/{self.targets.version}.targets.json": sign(self.targets, signers[Role.TARGETS]),
            f"{self.family}/{self.snapshot.version}.snapshot.json": sign(self.snapshot, signers[Role.SNAPSHOT]),
            f"{self.family}/timestamp.json": sign(self.timestamp, signers[Role.TIMESTAMP]),
            **self.bundles,
        }


def sign(content: Root | Targets | Snapshot | Timestamp, signers: Sequence[Signer]) -> bytes:
    """The bytes of metadata, signed by each."""
    metadata: Metadata[Any] = Metadata(content)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


class Forger:
    """Holds a camera's line, and knows every key of its server; each attack says which of them it uses."""

    def __init__(self, field: Field, line: FaultProxy, family: str) -> None:
        self.family = family
        self.keys: dict[Role, Sequence[Signer]] = {
            **{role: load_keys(field.harness.keys, role) for role in OFFLINE_ROLES},
            **{role: load_keys(field.harness.data / "keys", role) for role in ONLINE_ROLES},
        }
        self._server = field.harness.client("device")
        self._line = line
        self._rules: list[Rule] = []

    def genuine(self, family: str = "") -> Chain:
        """What the server says now of a family, to be changed; without a name, of the camera's."""
        name = family or self.family
        timestamp = Metadata[Timestamp].from_bytes(self.fetch(f"{name}/timestamp.json")).signed
        snapshot_name = f"{name}/{timestamp.snapshot_meta.version}.snapshot.json"
        snapshot = Metadata[Snapshot].from_bytes(self.fetch(snapshot_name)).signed
        targets_name = f"{name}/{snapshot.meta['targets.json'].version}.targets.json"
        targets = Metadata[Targets].from_bytes(self.fetch(targets_name)).signed
        return Chain(name, targets, snapshot, timestamp)

    def fetch(self, name: str) -> bytes:
        """A file as the server has it."""
        reply = self._server.get(f"/tuf/{name}")
        assert reply.status_code == httpx.codes.OK, (name, reply.text)
        return reply.content

    def files_now(self) -> Files:
        """All that the server says of the camera's family now, but for bundles: to be told again when it is old."""
        chain = self.genuine()
        names = (
            f"{self.family}/timestamp.json",
            f"{self.family}/{chain.snapshot.version}.snapshot.json",
            f"{self.family}/{chain.targets.version}.targets.json",
        )
        return {name: self.fetch(name) for name in names}

    def root_after(self, change: Callable[[Root], None], version: int = 2) -> Files:
        """The next root, changed, and signed by the root key."""
        root = deepcopy(Metadata[Root].from_bytes(self.fetch("1.root.json")).signed)
        root.version = version
        change(root)
        return {f"{version}.root.json": sign(root, self.keys[Role.ROOT])}

    def chain_with(self, bundle: Bundle, data: bytes | None = None) -> Chain:
        """What the server says, and a bundle more (or `data` in its place) that nobody published."""
        chain = self.genuine()
        chain.add(bundle.target_path, data or bundle.to_bytes(), bundle.target_custom)
        chain.raise_versions()
        return chain

    def answer_with(self, files: Files) -> None:
        """From now on, the line answers with these files, and else as the server does."""
        for name, data in files.items():
            self._tell(f"/tuf/{name}", AnswerItself(lambda request, data=data: ProxiedReply(200, JSON, data)))  # type: ignore[misc]

    def assign(self, target: str, seq: int = 4711) -> None:
        """From now on, the line assigns this target."""
        body = b'{"seq":%d,"family":"%s","counter":%d,"target":"%s"}'
        counter = int("".join(filter(str.isdecimal, target.rpartition("/")[2])) or "1")
        answer = body % (seq, self.family.encode(), counter, target.encode())
        self._tell("/v1/assignment", AnswerItself(lambda request: ProxiedReply(200, JSON, answer)))
        self._tell("/v1/frames", Replace(lambda reply: reply.with_headers(dw_assignment=str(seq))))

    def asked_for_metadata(self) -> int:
        """How many times the camera asked for a timestamp, with which every look at TUF begins."""
        return len(self._line.asked(f"/tuf/{self.family}/timestamp.json"))

    def stop(self) -> None:
        """Be honest from now on."""
        self._line.remove(*self._rules)
        self._rules.clear()

    def _tell(self, path: str, fault: AnswerItself | Replace) -> None:
        self._rules.append(self._line.add(path, fault))


def past(days: float) -> datetime:
    """So many days ago, as TUF writes times."""
    return datetime.fromtimestamp(int(datetime.now(UTC).timestamp() - days * 86_400), UTC)
