"""What the benchmark of hot swaps publishes is what it says: good, or spoilt in one way that the server names."""

from pathlib import Path

import pytest

from benchmarks.serving_swaps import ORDER, REFUSALS, Kind, variant
from cloud_server.cli.publishing import ModelFolder
from cloud_server.errors import ClassifierError
from cloud_server.inference.warm_up import BatchLimits
from cloud_server.registry.loading import Loading
from cloud_server.storage.blobs import BlobDigestError
from cloud_server.storage.directory_blobs import DirectoryBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    """An empty store."""
    return DirectoryBlobs(tmp_path / "blobs")


def uploaded(blobs: DirectoryBlobs, folder: ModelFolder) -> Loading:
    """What a server would load it with."""
    for sha256, path in folder.blobs.items():
        with blobs.upload(sha256) as upload:
            upload.write(path.read_bytes())
            upload.finish()
    return Loading(blobs, BatchLimits(frames=2), 1 << 30)


def test_good_ones_load_and_differ_from_each_other(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    one, other = (variant(tmp_path / str(counter), counter, Kind.GOOD) for counter in (7, 8))
    assert one.published.classifier.sha256 != other.published.classifier.sha256
    assert uploaded(blobs, one).model(one.published).name == one.published.name


@pytest.mark.parametrize(("kind", "match"), [(Kind.CORRUPT, "ONNX"), (Kind.WRONG_GOLDEN, "golden logits")])
def test_spoilt_ones_do_not_load(tmp_path: Path, blobs: DirectoryBlobs, kind: Kind, match: str) -> None:
    folder = variant(tmp_path / "spoilt", 7, kind)
    with pytest.raises(ClassifierError, match=match):
        uploaded(blobs, folder).model(folder.published)


def test_a_file_under_a_wrong_name_is_not_taken(tmp_path: Path, blobs: DirectoryBlobs) -> None:
    with pytest.raises(BlobDigestError):
        uploaded(blobs, variant(tmp_path / "spoilt", 7, Kind.WRONG_HASH))


def test_every_kind_takes_part_and_all_but_good_ones_are_refused() -> None:
    assert set(ORDER) == set(Kind)
    assert set(REFUSALS) == set(Kind) - {Kind.GOOD}
