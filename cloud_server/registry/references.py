"""What trainers measured of published bundles for the server alone, read when somebody asks."""

import asyncio
from concurrent.futures import Executor
from functools import partial

from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.loading import Loading
from shared.bundle import Drift


class References:
    """The references of published bundles.

    Args:
        loader: the thread in which all that reads blobs runs.
    """

    def __init__(self, catalogue: Catalogue, loading: Loading, loader: Executor) -> None:
        self._catalogue = catalogue
        self._loading = loading
        self._loader = loader

    async def drift(self, name: str) -> Drift | None:
        """What held-out frames looked like to a bundle; None: that was not measured, or there is no such bundle.

        Raises:
            BlobMissingError, BlobDigestError: the blob is not what the bundle names.
            BundleError: it is no reference.
            OSError: the disk.
        """
        registered = self._catalogue.find(name)
        if registered is None:
            return None
        job = partial(self._loading.reference, registered.published.classifier)
        reference = await asyncio.get_running_loop().run_in_executor(self._loader, job)
        return None if reference is None else reference.drift
