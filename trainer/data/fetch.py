"""Data sets from where their authors published them."""

from collections.abc import Callable
from pathlib import Path

from trainer.data import cifar, tiny_imagenet
from trainer.data.archive import unpack
from trainer.data.download import PATIENT, Patience, Published, download, is_published

PUBLISHED = {
    cifar.FOLDER: Published(
        "cifar-100-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        169_001_437,
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    ),
    tiny_imagenet.FOLDER: Published(
        "tiny-imagenet-200.zip",
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        248_100_043,
        "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    ),
}


def fetch(
    name: str,
    published: Published,
    data: Path,
    clock: Callable[[], float],
    progress: Callable[[int, int], None] = lambda *_: None,
    patience: Patience = PATIENT,
) -> Path:
    """Download, check and unpack a data set; the archive goes when its folder is there.

    Args:
        data: the folder to put the data set's own folder in.
        clock: seconds, monotonic.
        progress: called with bytes that are here and bytes in all.

    Returns:
        The data set's folder; one that is there already is left as it is.

    Raises:
        DatasetError: it cannot be fetched, or is another archive than the published one.
    """
    folder = data / name
    if folder.exists():
        return folder
    data.mkdir(parents=True, exist_ok=True)
    archive = data / published.file_name
    if not is_published(published, archive):
        download(published, archive, clock, progress, patience)
    unpack(archive, folder)
    archive.unlink()
    return folder
