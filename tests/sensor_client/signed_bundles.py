"""Bundles, and a real TUF repository on disk that signs them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from shared.bundle import (
    Bundle,
    ClassifierRef,
    EncoderSettings,
    Encoding,
    Expected,
    InputGeometry,
    Selftest,
    selftest_sha256,
)
from shared.jpeg import TableSet
from shared.trust import (
    OFFLINE_ROLES,
    ONLINE_ROLES,
    NotPublishedError,
    Repository,
    Role,
    Target,
    create_key,
    create_root,
    next_targets,
    root_file_of,
)

NOW = datetime.now(UTC)
THRIFTY = EncoderSettings.nearest(rounding=0.375, mask=np.arange(64) > 50, weights=1 / (0.3 * 20**2))


def make_bundle(
    counter: int = 1,
    family: str = "signs",
    quality: float = 50,
    min_counter: int = 1,
    side: int = 32,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
    selftest: str | None = None,
    **fields: Any,
) -> Bundle:
    """A bundle with standard tables; `selftest` replaces the true digest, `fields` are further ones."""
    encoding = Encoding(TableSet.standard(quality), settings)
    return Bundle(
        **fields,
        family=family,
        counter=counter,
        min_counter=min_counter,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        input=InputGeometry(width=side, height=side),
        tables=encoding.tables,
        settings=settings,
        classifier=ClassifierRef(sha256="1" * 64, labels_sha256="2" * 64, golden_sha256="3" * 64),
        expected=Expected(bytes_p50=100, bytes_p95=200, accuracy=0.5, n=10, data="synthetic"),
        selftest=Selftest(seed=7, sha256=selftest or selftest_sha256(encoding, side, side, 7)),
    )


class Publisher:
    """Signs bundles into `directory`, which a DevicePlane serves; `root` is what devices are shipped with."""

    def __init__(self, directory: Path) -> None:
        keys = {role: create_key(directory / "keys", role) for role in (*OFFLINE_ROLES, *ONLINE_ROLES)}
        self._targets_key = keys[Role.TARGETS]
        self.directory = directory / "tuf"
        self.root = create_root({role: [key] for role, key in keys.items()}, NOW)
        self._snapshot_key, self._timestamp_key = keys[Role.SNAPSHOT], keys[Role.TIMESTAMP]
        self._write({root_file_of(self.root): self.root})

    def publish(
        self,
        bundle: Bundle,
        data: bytes | None = None,
        path: str | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        """Sign `bundle` (or `data` in its place) under its path (or `path`)."""
        told = {**bundle.target_custom, **(custom or {})}
        self.add(path or bundle.target_path, data or bundle.to_bytes(), told)

    def add(self, target: str, content: bytes, custom: Mapping[str, Any]) -> None:
        """Sign any bytes under any path."""
        family = target.partition("/")[0]
        repository = self._repository(family)
        listed = Target(target, content, custom)
        signed = next_targets(family, repository.targets(), [self._targets_key], NOW, added=listed)
        self._write(repository.publish(signed, {target: content}, (), NOW).files)

    def fetch(self, name: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
        """A file, as a device fetches it from a server that is at hand."""
        data = self._read(name)
        if data is None:
            raise NotPublishedError(name)
        yield data

    def file_of(self, bundle: Bundle) -> Path:
        """Where the repository keeps the bundle's bytes."""
        [file] = self.directory.glob(f"{bundle.family}/{'?' * 64}.{bundle.counter}.json")
        return file

    def _repository(self, family: str) -> Repository:
        signers = {"snapshot_signer": self._snapshot_key, "timestamp_signer": self._timestamp_key}
        return Repository(self._read, family=family, root=self.root, **signers)

    def _read(self, name: str) -> bytes | None:
        path = self.directory / name
        return path.read_bytes() if path.exists() else None

    def _write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
