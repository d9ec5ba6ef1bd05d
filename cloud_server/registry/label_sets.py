"""The labels that a family's classifiers tell apart: a family is one task with one label set."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from cloud_server.errors import StorageError
from cloud_server.registry.catalogue import Catalogue
from shared.bundle import ClassifierRef
from shared.errors import PeerError

_log = structlog.get_logger()


class LabelSets:
    """Each family's label set, read once.

    Args:
        read: reads a classifier's label list, in the order of its logits; runs in the loader's thread.
        loader: where everything that reads blobs runs.
    """

    def __init__(
        self, catalogue: Catalogue, read: Callable[[ClassifierRef], tuple[str, ...]], loader: Executor
    ) -> None:
        self._catalogue = catalogue
        self._read = read
        self._loader = loader
        self._by_sha256: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}

    async def of_family(self, family: str) -> frozenset[str]:
        """The labels that a family's classifiers tell apart; empty when nothing is published for it.

        Raises:
            StorageError: the list cannot be read at the moment.
        """
        return (await self._read_once(family))[1]

    async def in_order(self, family: str) -> tuple[str, ...]:
        """The same labels in the order of the classifier's logits.

        Raises:
            StorageError: the list cannot be read at the moment.
        """
        return (await self._read_once(family))[0]

    async def _read_once(self, family: str) -> tuple[tuple[str, ...], frozenset[str]]:
        published = next((one for one in self._catalogue.every() if one.family == family), None)
        if published is None:
            return (), frozenset()
        sha256 = published.classifier.labels_sha256
        if sha256 not in self._by_sha256:
            loop = asyncio.get_running_loop()
            try:
                labels = await loop.run_in_executor(self._loader, self._read, published.classifier)
            except PeerError as error:  # our copy is damaged: no fault of whoever sends a label
                _log.error("labels-unreadable", family=family, error=str(error))
                raise StorageError(f"the labels of family {family} cannot be read") from error
            self._by_sha256[sha256] = labels, frozenset(labels)
        return self._by_sha256[sha256]
