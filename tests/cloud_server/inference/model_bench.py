"""Bundles, a cache with room for two of their models, and a loader that tests hold up or break."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloud_server.errors import ClassifierError
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.model_cache import ModelCache
from cloud_server.inference.routing import Model, Published
from cloud_server.metrics import Metrics
from shared.bundle import Bundle
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.frames import tables

COST = 100


class ModelBench:
    """Four bundles, a cache with room for two, and what the loader was asked for."""

    def __init__(self, folder: Path, loader: ThreadPoolExecutor) -> None:
        self.bundles = [write_bundle(folder / str(n), "a", n, tables(40 + n), seed=n) for n in (1, 2, 3, 4)]
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.seconds = 0.0
        self.metrics = Metrics()
        self._folder = folder
        self.models = ModelCache(self._load, loader, 2 * COST, self.metrics, lambda: self.seconds)

    def _load(self, published: Published) -> Model:
        assert isinstance(published, Bundle)
        self.asked.append(published.name)
        self.gate.wait(30)
        if published.name in self.broken:
            raise ClassifierError(f"{published.name} is broken")
        path = self._folder / str(published.counter) / "classifier.onnx"
        return Model(published, LABELS, Classifier.load(path, published.input, len(LABELS)), cost_bytes=COST)

    @property
    def in_memory(self) -> list[str]:
        """Names, the least recently used first."""
        return [model.name for model in self.models]
