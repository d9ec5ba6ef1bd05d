"""Classifiers come into memory once each and leave it under a limit; real sessions, a clock that the test moves."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud_server.errors import ClassifierError
from cloud_server.inference.classifier import Classifier
from cloud_server.inference.loader import Loader
from cloud_server.inference.model_cache import ModelCache, State, retry_delay_seconds
from cloud_server.inference.routing import Model, Published
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.inference.model_bench import COST, ModelBench

Load = Callable[[Published], Model]


@pytest.fixture
def bench(tmp_path: Path, loader: ThreadPoolExecutor) -> ModelBench:
    """A fresh one."""
    return ModelBench(tmp_path, loader)


def answer(model: Model) -> int:
    """What a session says of empty frames."""
    y, c = np.zeros((1, 64, 4, 4), np.int16), np.zeros((1, 128, 2, 2), np.int16)
    return int(model.classifier.run(y, c).argmax())


def test_all_who_ask_at_once_wait_for_one_load(bench: ModelBench) -> None:
    async def ask() -> list[Model]:
        return await asyncio.gather(*(bench.models.get(bench.bundles[0]) for _ in range(20)))

    models = asyncio.run(ask())
    assert bench.asked == ["a/1"]
    assert len({id(model) for model in models}) == 1


def test_one_who_gives_up_does_not_take_the_load_from_the_others(bench: ModelBench) -> None:
    async def ask() -> Model:
        bench.gate.clear()
        impatient = asyncio.ensure_future(bench.models.get(bench.bundles[0]))
        patient = asyncio.ensure_future(bench.models.get(bench.bundles[0]))
        await asyncio.sleep(0)
        impatient.cancel()
        bench.gate.set()
        return await patient

    assert asyncio.run(ask()).name == "a/1"
    assert bench.asked == ["a/1"]


def test_the_least_recently_used_makes_room(bench: ModelBench) -> None:
    async def use() -> None:
        for number in (0, 1, 0, 2):
            await bench.models.get(bench.bundles[number])

    asyncio.run(use())
    assert bench.in_memory == ["a/1", "a/3"]
    assert bench.models.resident_bytes == 2 * COST
    assert bench.models.state(bench.bundles[1]) is State.COLD
    assert b"dctwire_classifier_evictions_total 1.0" in bench.metrics.exposition()


def test_a_model_that_made_room_finishes_what_it_has_and_comes_back_when_asked(bench: ModelBench) -> None:
    async def use() -> None:
        held = await bench.models.get(bench.bundles[0])
        before = answer(held)
        await bench.models.get(bench.bundles[1])
        await bench.models.get(bench.bundles[2])
        assert "a/1" not in bench.in_memory
        assert answer(held) == before
        again = await bench.models.get(bench.bundles[0])
        assert again is not held
        assert answer(again) == before

    asyncio.run(use())
    assert bench.asked == ["a/1", "a/2", "a/3", "a/1"]


def test_the_last_user_of_a_session_has_it_freed_in_the_loaders_thread(
    bench: ModelBench, loader: ThreadPoolExecutor
) -> None:
    freed_in: list[str] = []

    class Session:
        """Tells where it dies."""

        def __del__(self) -> None:
            freed_in.append(threading.current_thread().name)

    async def use() -> None:
        model = await bench.models.get(bench.bundles[0])
        bench.models.clear()
        loader.submit(lambda: None).result(30)
        assert freed_in == []
        with loader._shutdown_lock:  # what a finalizer may interrupt: it must not wait for this
            del model
        await asyncio.sleep(0)

    def load(published: Published) -> Model:
        classifier: Any = Classifier(Session(), published.input)
        return Model(published, LABELS, classifier, cost_bytes=COST)

    bench.models = ModelCache(load, loader, 2 * COST, bench.metrics)
    asyncio.run(use())
    loader.submit(lambda: None).result(30)
    assert freed_in == [loader.submit(lambda: threading.current_thread().name).result(30)]


def test_a_failure_is_remembered_and_tried_again_later_and_later(bench: ModelBench) -> None:
    bundle = bench.bundles[0]
    bench.broken.add("a/1")

    async def ask() -> None:
        with pytest.raises(ClassifierError, match="a/1 is broken"):
            await bench.models.get(bundle)

    async def use() -> None:
        await ask()
        await ask()
        assert bench.asked == ["a/1"]
        assert not bench.models.may_load(bundle)
        assert bench.models.state(bundle) is State.FAILED
        bench.seconds = 1.0
        await ask()
        assert bench.asked == ["a/1"] * 2
        bench.seconds = 2.5
        await ask()
        assert bench.asked == ["a/1"] * 2
        bench.seconds = 3.0
        bench.broken.clear()
        await bench.models.get(bundle)

    asyncio.run(use())
    assert bench.models.state(bundle) is State.LOADED
    assert bench.models.failure(bundle) is None


def test_delays_double_up_to_a_limit() -> None:
    assert [retry_delay_seconds(times) for times in (1, 2, 3, 9, 10, 10_000)] == [1, 2, 4, 256, 300, 300]


def test_a_model_larger_than_the_whole_limit_is_refused_and_throws_nobody_out(
    bench: ModelBench, loader: ThreadPoolExecutor
) -> None:
    bench.models = ModelCache(bench._load, loader, COST - 1, bench.metrics)

    async def use() -> None:
        with pytest.raises(ClassifierError, match="model_memory_bytes"):
            await bench.models.get(bench.bundles[0])

    asyncio.run(use())
    assert bench.in_memory == []


def test_a_load_that_was_given_up_counts_as_failed_and_is_tried_again_once_it_has_come_to_its_end(
    bench: ModelBench,
) -> None:
    loader = Loader(max_seconds=0.05)
    bench.models = ModelCache(bench._load, loader, COST, bench.metrics)
    bench.gate.clear()

    async def use() -> None:
        for said in ("was given up", "still keeps a thread"):
            with pytest.raises(ClassifierError, match=said):
                await bench.models.build(bench.bundles[0])
        assert b'dctwire_classifier_loads_total{outcome="failed"} 1.0' in bench.metrics.exposition()
        bench.gate.set()
        wait_until(lambda: loader.lost == 0)
        with suppress(ClassifierError):  # it may be late once more on a slow machine; then it was begun
            await bench.models.build(bench.bundles[0])

    asyncio.run(use())
    loader.shutdown()
    assert bench.asked == ["a/1", "a/1"]


def test_what_is_only_built_is_not_kept(bench: ModelBench) -> None:
    model = asyncio.run(bench.models.build(bench.bundles[0]))
    assert bench.in_memory == []
    bench.models.keep(model)
    assert bench.in_memory == ["a/1"]


def test_models_that_nothing_leads_to_any_more_go(bench: ModelBench) -> None:
    async def use() -> None:
        for bundle in bench.bundles[:2]:
            await bench.models.get(bundle)

    asyncio.run(use())
    bench.models.keep_only({"a/2", "a/4"})
    assert bench.in_memory == ["a/2"]
