"""Bundles, and a real TUF repository on disk that signs them."""

from collections.abc import Mapping
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
    Files,
    Repository,
    Role,
    add_target,
    create_key,
    create_root,
    create_targets,
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
        self.root = create_root(keys, NOW)
        self._repository = Repository(
            self._read, snapshot_signer=keys[Role.SNAPSHOT], timestamp_signer=keys[Role.TIMESTAMP]
        )
        self._write(self._repository.initialise(self.root, create_targets(self._targets_key, NOW), NOW))

    def publish(
        self,
        bundle: Bundle,
        data: bytes | None = None,
        path: str | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        """Sign `bundle` (or `data` in its place) under its path (or `path`)."""
        content, target = data or bundle.to_bytes(), path or bundle.target_path
        told = {**bundle.target_custom, **(custom or {})}
        signed = add_target(self._repository.targets(), target, content, told, self._targets_key, NOW)
        self._write(self._repository.publish(signed, {target: content}, NOW))

    def file_of(self, bundle: Bundle) -> Path:
        """Where the repository keeps the bundle's bytes."""
        [file] = self.directory.glob(f"targets/{bundle.family}/*.{bundle.counter}.json")
        return file

    def _read(self, name: str) -> bytes | None:
        path = self.directory / name
        return path.read_bytes() if path.exists() else None

    def _write(self, files: Files) -> None:
        for name, data in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
