"""The models in memory: loaded when needed, one at a time and each once, and evicted again under a memory limit.

Everything here runs on the event loop but `load`, which runs in the loader's one thread. A model that is evicted is
only forgotten here: batches that hold it finish with it, and the last of them hands its ONNX Runtime session to the
loader's thread, which frees the session there.
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

from cloud_server.errors import ClassifierError, LoadOverdueError
from cloud_server.inference.memory import give_back
from cloud_server.inference.routing import Model, Published
from cloud_server.metrics import Metrics
from cloud_server.storage.witness import Facts
from shared.errors import DctwireError

RETRY_FIRST_SECONDS = 1.0
RETRY_MAX_SECONDS = 300.0
_log = structlog.get_logger()


class State(StrEnum):
    """Where a published classifier is: in memory, loaded when needed, or not to be loaded for now."""

    LOADED = "loaded"
    COLD = "cold"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a classifier could not be loaded or answers no more, how often in a row; it may be tried again at `until`."""

    error: DctwireError
    times: int
    until: float


def retry_delay_seconds(times: int) -> float:
    """How long a classifier is left alone that could not be loaded `times` in a row."""
    return min(RETRY_MAX_SECONDS, RETRY_FIRST_SECONDS * 2.0 ** min(times - 1, 30))


def require_room(name: str, cost_bytes: int, limit_bytes: int) -> None:
    """Check that a model may be loaded at all.

    Raises:
        ClassifierError: it alone would need more than all models together may keep.
    """
    if cost_bytes > limit_bytes:
        raise ClassifierError(
            f"{name} needs {cost_bytes} bytes of memory; all models together may keep {limit_bytes} "
            "(model_memory_bytes)"
        )


class ModelCache:
    """The models in memory, the least recently used first.

    Args:
        load: builds and checks a model; takes seconds.
        loader: an executor of one thread, `inference.loader`; `load` runs there, and sessions are freed there.
        limit_bytes: what all models together may keep of the process's memory.
        monotonic: seconds on a clock that never goes back.
        tell_failed: who is told, by its name, of a classifier that is left alone for a while, and why.
    """

    def __init__(
        self,
        load: Callable[[Published], Model],
        loader: Executor,
        limit_bytes: int,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
        tell_failed: Callable[[str, Facts], None] = lambda _name, _facts: None,
    ) -> None:
        self._tell_failed = tell_failed
        self._load = load
        self._loader = loader
        self._limit_bytes = limit_bytes
        self._metrics = metrics
        self._monotonic = monotonic
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Model]] = {}
        self._failures: dict[str, Failure] = {}
        self._inside: set[object] = set()
        self._given_up: dict[str, object] = {}

    def __iter__(self) -> Iterator[Model]:
        return iter(list(self._models.values()))

    @property
    def resident_bytes(self) -> int:
        """What the models in memory keep of the process's memory."""
        return sum(model.cost_bytes for model in self._models.values())

    @property
    def has_room(self) -> bool:
        """Whether one more model of the largest one's size would fit."""
        return self.resident_bytes + max((model.cost_bytes for model in self), default=0) <= self._limit_bytes

    def find(self, published: Published) -> Model | None:
        """The model if it is in memory; from now on it is the most recently used one."""
        model = self._models.get(published.name)
        if model is not None:
            self._models.move_to_end(published.name)
        return model

    def peek(self, published: Published) -> Model | None:
        """The model if it is in memory; looking does not count as using it."""
        return self._models.get(published.name)

    def failure(self, published: Published) -> DctwireError | None:
        """Why the last load of this classifier failed; None when it did not."""
        failure = self._failures.get(published.name)
        return None if failure is None else failure.error

    def is_failing(self, published: Published) -> bool:
        """Whether the last load of this classifier failed."""
        return published.name in self._failures

    def failed(self) -> list[str]:
        """The names of the classifiers that are failing."""
        return list(self._failures)

    def may_load(self, published: Published) -> bool:
        """Whether loading this classifier is worth trying: its last load did not fail, or long enough ago."""
        failure = self._failures.get(published.name)
        return failure is None or self._monotonic() >= failure.until

    def wait_seconds(self, published: Published) -> float:
        """How long until loading this classifier is worth trying; 0 when it is."""
        failure = self._failures.get(published.name)
        return 0.0 if failure is None else max(0.0, failure.until - self._monotonic())

    def state(self, published: Published) -> State:
        """Whether this classifier is in memory, cold, or failing."""
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
            task = self._loading[published.name] = asyncio.ensure_future(self._load_and_keep(published))
            task.add_done_callback(lambda done: self._loaded(published, done))
        return await asyncio.shield(task)  # one who gives up must not take the load from the others

    async def build(self, published: Published) -> Model:
        """Load a model without keeping it; a failure is not remembered.

        Raises:
            ClassifierError: loading it did not come to an end, now or earlier; one that is still being loaded is not
                loaded again, so that it keeps one thread at most.
            DctwireError: it cannot be loaded, or would need more than the whole memory limit.
        """
        loop, load, content = asyncio.get_running_loop(), object(), published.classifier.sha256
        if self._given_up.get(content) in self._inside:
            raise ClassifierError(
                f"loading {published.name} did not come to an end when it was tried before, and still keeps a thread"
            )
        try:
            model = await loop.run_in_executor(self._loader, self._build, published, loop, load)
        except LoadOverdueError as error:
            self._given_up[content] = load
            self._metrics.count_load(is_loaded=False)
            raise ClassifierError(f"loading {published.name} was given up: {error}") from error
        require_room(published.name, model.cost_bytes, self._limit_bytes)
        return model

    def keep(self, model: Model) -> None:
        """Take a model in; the least recently used ones are evicted until all fit the memory limit."""
        self._failures.pop(model.name, None)
        self._models[model.name] = model
        self._models.move_to_end(model.name)
        while self.resident_bytes > self._limit_bytes:
            name, _ = self._models.popitem(last=False)
            self._metrics.count_eviction()
            _log.info("classifier-evicted", model=name)

    def give_up(self, model: Model, error: DctwireError, seconds: float) -> None:
        """Let go of a model that does not answer, and do not load it again for so long; batches that hold it finish."""
        if self._models.get(model.name) is model:
            del self._models[model.name]
        self._failures[model.name] = Failure(error, 1, self._monotonic() + seconds)
        _log.error("classifier-given-up", model=model.name, error=str(error), retry_seconds=seconds)
        self._tell_failed(model.name, {"error": str(error)})

    def keep_only(self, names: Collection[str]) -> None:
        """Evict every model but those with these names."""
        for name in [name for name in self._models if name not in names]:
            del self._models[name]

    def clear(self) -> None:
        """Evict every model; the last thing that a process does with them."""
        self._models.clear()

    async def _load_and_keep(self, published: Published) -> Model:
        model = await self.build(published)
        self.keep(model)
        return model

    def _loaded(self, published: Published, task: "asyncio.Task[Model]") -> None:
        del self._loading[published.name]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, DctwireError):
            _log.error("classifier-load-failed", model=published.name, exc_info=error)
            error = ClassifierError(f"{published.name} cannot be loaded; see the server's log")
        before = self._failures.get(published.name)
        times = before.times + 1 if before else 1
        delay = retry_delay_seconds(times)
        self._failures[published.name] = Failure(error, times, self._monotonic() + delay)
        _log.error("classifier-not-loaded", model=published.name, error=str(error), retry_seconds=delay)
        self._tell_failed(published.name, {"error": str(error)})

    def _build(self, published: Published, loop: asyncio.AbstractEventLoop, load: object) -> Model:
        """Load a model, in the loader's thread; `load` is among `_inside` until that has come to its end."""
        self._inside.add(load)
        try:
            model = self._load(published)
        except BaseException:
            self._metrics.count_load(is_loaded=False)
            raise
        finally:
            self._inside.discard(load)
        self._metrics.count_load(is_loaded=True)
        held = [model.classifier.session]
        weakref.finalize(model.classifier, _free_later, loop, self._loader, held).atexit = False
        _log.info("classifier-loaded", model=model.name, **_facts(model))
        return model


def _free_later(loop: asyncio.AbstractEventLoop, loader: Executor, held: list[object]) -> None:
    """Have a session freed that nothing uses any more.

    This may run in the middle of anything, as a finalizer does, so it takes no lock: not the executor's either, which
    the interrupted code may hold.
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
