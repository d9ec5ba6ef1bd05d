"""Classifiers in memory: loaded when needed, one at a time and each once, and let go of again under a memory budget.

Everything here runs on the event loop but `load`, which runs in the loader's one thread. A session that is let go of
is only forgotten here: batches that hold it finish with it, and the last of them hands it to the loader's thread,
which frees it there.
"""

import asyncio
import contextlib
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum

import structlog

from cloud_server.errors import ClassifierError
from cloud_server.inference.memory import give_back
from cloud_server.inference.routing import Model, Published
from cloud_server.metrics import Metrics
from shared.errors import DctwireError

RETRY_FIRST_SECONDS = 1.0
RETRY_MAX_SECONDS = 300.0
_log = structlog.get_logger()


class State(StrEnum):
    """Where a published classifier is: in memory, loadable when needed, or not to be loaded for now."""

    LOADED = "loaded"
    COLD = "cold"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a classifier could not be loaded, how often in a row, and from when on it may be tried again."""

    error: DctwireError
    times: int
    until: float


def retry_delay_seconds(times: int) -> float:
    """How long a classifier that failed `times` in a row is left alone."""
    return min(RETRY_MAX_SECONDS, RETRY_FIRST_SECONDS * 2.0 ** min(times - 1, 30))


def require_budget(name: str, cost_bytes: int, budget_bytes: int) -> None:
    """Whether a model may be loaded at all.

    Raises:
        ClassifierError: it alone would need more than all models together may keep.
    """
    if cost_bytes > budget_bytes:
        raise ClassifierError(
            f"{name} needs {cost_bytes} bytes of memory; all models together may keep {budget_bytes} "
            "(model_memory_bytes)"
        )


class ModelCache:
    """The models in memory, the least recently used first.

    Args:
        load: builds and checks a model; takes seconds.
        loader: of one thread; `load` runs there, and sessions are freed there.
        budget_bytes: what all models together may keep.
        now: seconds, never going back.
    """

    def __init__(
        self,
        load: Callable[[Published], Model],
        loader: Executor,
        budget_bytes: int,
        metrics: Metrics,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._loader = loader
        self._budget_bytes = budget_bytes
        self._metrics = metrics
        self._now = now
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Model]] = {}
        self._failures: dict[str, Failure] = {}

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    @property
    def resident_bytes(self) -> int:
        """What the models in memory keep."""
        return sum(model.cost_bytes for model in self._models.values())

    @property
    def has_room(self) -> bool:
        """Whether one more like the largest would fit."""
        return self.resident_bytes + max((model.cost_bytes for model in self), default=0) <= self._budget_bytes

    def find(self, published: Published) -> Model | None:
        """The model if it is in memory; it counts as used."""
        model = self._models.get(published.name)
        if model is not None:
            self._models.move_to_end(published.name)
        return model

    def peek(self, published: Published) -> Model | None:
        """The same, and it does not count as used."""
        return self._models.get(published.name)

    def failure(self, published: Published) -> DctwireError | None:
        """Why its last load failed."""
        failure = self._failures.get(published.name)
        return None if failure is None else failure.error

    def is_failing(self, published: Published) -> bool:
        """Whether its last load failed."""
        return published.name in self._failures

    def may_load(self, published: Published) -> bool:
        """Whether it is worth trying: it has not failed, or long enough ago."""
        failure = self._failures.get(published.name)
        return failure is None or self._now() >= failure.until

    def state(self, published: Published) -> State:
        """Where it is."""
        if published.name in self._models:
            return State.LOADED
        return State.FAILED if self.is_failing(published) else State.COLD

    async def get(self, published: Published) -> Model:
        """The model, loaded if it is not in memory; all who ask meanwhile wait for the same load.

        Raises:
            DctwireError: it cannot be loaded, now or since a moment ago.
        """
        if (model := self.find(published)) is not None:
            return model
        if not self.may_load(published):
            raise self._failures[published.name].error
        task = self._loading.get(published.name)
        if task is None:
            task = self._loading[published.name] = asyncio.ensure_future(self._bring(published))
            task.add_done_callback(lambda done: self._loaded(published, done))
        return await asyncio.shield(task)  # one who gives up must not take the load from the others

    async def build(self, published: Published) -> Model:
        """A model that is not kept yet; a failure is not remembered.

        Raises:
            DctwireError: it cannot be loaded, or would need more than the whole budget.
        """
        loop = asyncio.get_running_loop()
        model = await loop.run_in_executor(self._loader, self._build, published, loop)
        require_budget(published.name, model.cost_bytes, self._budget_bytes)
        return model

    def keep(self, model: Model) -> None:
        """Take a model in; others that were not used for longest go until all fit the budget."""
        self._failures.pop(model.name, None)
        self._models[model.name] = model
        self._models.move_to_end(model.name)
        while self.resident_bytes > self._budget_bytes:
            name, _ = self._models.popitem(last=False)
            self._metrics.count_eviction()
            _log.info("classifier-evicted", model=name)

    def keep_only(self, names: Collection[str]) -> None:
        """Let go of every model that no frame leads to any more."""
        for name in [name for name in self._models if name not in names]:
            del self._models[name]

    def clear(self) -> None:
        """Let go of all of them; the last thing a process does with them."""
        self._models.clear()

    async def _bring(self, published: Published) -> Model:
        model = await self.build(published)
        self.keep(model)
        return model

    def _loaded(self, published: Published, task: "asyncio.Task[Model]") -> None:
        del self._loading[published.name]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, DctwireError):
            _log.error("fault", model=published.name, exc_info=error)
            error = ClassifierError(f"{published.name} cannot be loaded; see the server's log")
        before = self._failures.get(published.name)
        times = before.times + 1 if before else 1
        delay = retry_delay_seconds(times)
        self._failures[published.name] = Failure(error, times, self._now() + delay)
        _log.error("classifier-not-loaded", model=published.name, error=str(error), retry_seconds=delay)

    def _build(self, published: Published, loop: asyncio.AbstractEventLoop) -> Model:
        try:
            model = self._load(published)
        except BaseException:
            self._metrics.count_load(is_loaded=False)
            raise
        self._metrics.count_load(is_loaded=True)
        held = [model.classifier.session]
        weakref.finalize(model.classifier, _leave, loop, self._loader, held).atexit = False
        _log.info("classifier-loaded", model=model.name, **_facts(model))
        return model


def _leave(loop: asyncio.AbstractEventLoop, loader: Executor, held: list[object]) -> None:
    """A session is not used any more. This may run in the middle of anything, as a finalizer does, so it takes no lock:
    not the executor's either, which the interrupted code may hold.
    """
    with contextlib.suppress(RuntimeError):  # the process is ending, and the loop with it
        loop.call_soon_threadsafe(_free, loader, held)


def _free(loader: Executor, held: list[object]) -> None:
    """Free a session where it costs no request: in the loader's thread."""

    def free() -> None:
        held.clear()
        give_back()

    with contextlib.suppress(RuntimeError):  # the process is ending, and the loader with it
        loader.submit(free)


def _facts(model: Model) -> dict[str, object]:
    classifier = model.classifier
    return {
        "precision": model.precision.value,
        "batch_max": classifier.batch_max,
        "us_a_frame": round(classifier.seconds * 1e6),
        "bytes": model.cost_bytes,
    }
