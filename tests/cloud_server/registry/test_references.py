"""References of published bundles: read from their blobs, by name."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud_server.inference.warm_up import BatchLimits
from cloud_server.registry.catalogue import Catalogue, Registered
from cloud_server.registry.loading import Loading
from cloud_server.registry.references import References
from cloud_server.storage.blobs import BlobMissingError
from cloud_server.storage.directory_blobs import DirectoryBlobs
from shared.bundle import Drift, Histogram, Reference
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables

DRIFT = Drift(n=10, signals={"zeros": Histogram(edges=(0.5,), shares=(0.5, 0.5))})


def found(folder: Path, name: str, reference: Reference | None, *, keeps_blobs: bool = True) -> Drift | None:
    """What is found of a name where digits/1 is published with this reference."""
    bundle = write_bundle(folder / "v1", "digits", 1, tables(50), reference=reference)
    blobs = DirectoryBlobs(folder / "blobs")
    if keeps_blobs and bundle.classifier.reference_sha256 is not None:
        blobs.put((folder / "v1" / "reference.json").read_bytes())
    catalogue = Catalogue(None)  # type: ignore[arg-type] # nothing is read from the database
    catalogue.add(Registered(bundle, b"", 1.0))
    loading = Loading(blobs, BatchLimits(frames=1), 1 << 30)
    with ThreadPoolExecutor(1) as loader:
        return asyncio.run(References(catalogue, loading, loader).drift(name))


def test_a_bundles_histograms_are_found_by_its_name(tmp_path: Path) -> None:
    assert found(tmp_path, "digits/1", Reference(drift=DRIFT)) == DRIFT


@pytest.mark.parametrize("reference", [None, Reference(temperature=2.0)])
def test_a_bundle_without_them_has_none(tmp_path: Path, reference: Reference | None) -> None:
    assert found(tmp_path, "digits/1", reference) is None


def test_a_bundle_that_is_not_known_has_none(tmp_path: Path) -> None:
    assert found(tmp_path, "digits/2", Reference(drift=DRIFT)) is None


def test_a_blob_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(BlobMissingError):
        found(tmp_path, "digits/1", Reference(drift=DRIFT), keeps_blobs=False)
