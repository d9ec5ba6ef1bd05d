"""Where published versions stand: newest first, what each is doing, and what its trainer measured of it."""

import asyncio
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloud_server.errors import ClassifierError, NotFoundError
from cloud_server.fleet.exposure import Exposure, Reach
from cloud_server.inference.model_cache import State
from cloud_server.inference.routing import Published
from cloud_server.registry.catalogue import Catalogue, Registered
from cloud_server.registry.versions import Version, Versions
from cloud_server.storage.rows.fleet import CountRow
from shared.bundle import BundleError, ClassifierRef, Reference
from shared.errors import DctwireError
from shared.wire import Assignment
from tests.shared.bundle.test_bundle import CLASSIFIER, make
from tests.shared.bundle.test_fallback import FALLBACK

MEASURED = Reference(temperature=1.5)


class Field:
    """All that versions ask others for: models, assignments, signed lists and the fleet's counts."""

    def __init__(self) -> None:
        self.failures: dict[str, DctwireError] = {}
        self.assigned: dict[str, Assignment] = {}
        self.rollouts: dict[str, Exposure] = {}
        self.on_lists: frozenset[str] = frozenset()
        self.at_least: dict[str, int] = {}
        self.counted: Sequence[CountRow] = ()

    def state(self, published: Published) -> State:
        """As a model cache."""
        return State.FAILED if published.name in self.failures else State.COLD

    def failure(self, published: Published) -> DctwireError | None:
        """As a model cache."""
        return self.failures.get(published.name)

    def of_family(self, family: str) -> Assignment | None:
        """As assignments."""
        return self.assigned.get(family)

    def exposure(self, family: str) -> Exposure | None:
        """As assignments."""
        return self.rollouts.get(family)

    async def listed(self) -> Collection[str]:
        """As signed files."""
        return self.on_lists

    async def floors(self) -> Mapping[str, int]:
        """As signed files."""
        return self.at_least

    async def counts(self) -> Sequence[CountRow]:
        """As a listing."""
        return self.counted


def read_measured(_ref: ClassifierRef) -> Reference | None:
    """What every trainer measured."""
    return MEASURED


def versions(field: Field, names: Iterable[str], read: Any = read_measured, seconds: float = 30.0) -> Versions:
    """The versions of these bundles, published one after the other at 1, 2, 3, and of a fallback of family doorbell."""
    nowhere: Any = None
    catalogue = Catalogue(nowhere)
    made: list[Published] = [
        make(family=family, counter=int(counter), min_counter=1)
        for family, _, counter in (name.partition("/") for name in names)
    ]
    for number, one in enumerate([*made, FALLBACK], 1):
        catalogue.add(Registered(one, one.to_bytes(), registered_at=float(number)))
    catalogue.released = {"doorbell": FALLBACK.name}
    every: Any = field
    return Versions(
        catalogue=catalogue,
        models=every,
        assignments=every,
        signed_files=every,
        listing=every,
        read=read,
        loader=ThreadPoolExecutor(1),
        read_max_seconds=seconds,
    )


def assignment(family: str, counter: int) -> Assignment:
    """An assignment to a bundle."""
    return Assignment(seq=counter, family=family, counter=counter, target=f"{family}/{counter}.json")


def of_doorbell(field: Field, *counters: int) -> dict[int, Version]:
    """The versions of family doorbell, by counter."""
    found = asyncio.run(versions(field, [f"doorbell/{counter}" for counter in counters]).of_family("doorbell"))
    return {version.bundle.counter: version for version in found.versions}


def test_families_come_by_name_and_their_versions_newest_first() -> None:
    found = asyncio.run(versions(Field(), ["mill/1", "doorbell/9", "doorbell/10", "doorbell/2"]).by_family())
    shown = [(one.family, [version.bundle.counter for version in one.versions]) for one in found]
    assert shown == [("doorbell", [10, 9, 2]), ("mill", [1])]
    assert [one.fallback for one in found[0].fallbacks] == [FALLBACK]
    assert found[0].fallbacks[0].is_released
    assert not found[1].fallbacks


def test_a_family_for_which_nothing_is_published_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="nothing is published for family mill"):
        asyncio.run(versions(Field(), ["doorbell/1"]).of_family("mill"))


def test_the_assigned_version_and_the_one_that_a_rollout_leads_to_are_told_apart() -> None:
    field = Field()
    field.assigned["doorbell"] = assignment("doorbell", 1)
    field.rollouts["doorbell"] = Exposure("abc", "doorbell", assignment("doorbell", 2), (Reach(5.0, frozenset()),))
    found = of_doorbell(field, 1, 2, 3)
    assert {counter: version.is_assigned for counter, version in found.items()} == {1: True, 2: False, 3: False}
    led_to = {counter: version.rollout and version.rollout.rollout for counter, version in found.items()}
    assert led_to == {1: None, 2: "abc", 3: None}


def test_a_version_says_whether_it_is_listed_above_the_floor_and_loaded() -> None:
    field = Field()
    field.on_lists = frozenset(["doorbell/2.json", FALLBACK.target_path])
    field.at_least = {"doorbell": 2, "mill": 9}
    field.failures = {"doorbell/2": ClassifierError("its weights are not there")}
    found = of_doorbell(field, 1, 2)
    assert (found[1].is_listed, found[2].is_listed) == (False, True)
    assert (found[1].is_below_floor, found[2].is_below_floor) == (True, False)
    assert (found[1].loaded.state, found[1].loaded.failure) == (State.COLD, None)
    assert (found[2].loaded.state, found[2].loaded.failure) == (State.FAILED, "its weights are not there")


def test_devices_are_counted_by_the_family_and_the_version_of_their_newest_frame() -> None:
    field = Field()
    field.counted = [
        CountRow("doorbell", "v1", 7, 0, 0),
        CountRow("mill", "v2", 8, 0, 0),
        CountRow("doorbell", "interchange", 9, 0, 0),
        CountRow("doorbell", None, 10, 0, 0),
    ]
    assert {counter: version.devices for counter, version in of_doorbell(field, 1, 2).items()} == {1: 7, 2: 0}


def test_a_reference_is_read_once() -> None:
    reads: list[ClassifierRef] = []

    def read(ref: ClassifierRef) -> Reference:
        reads.append(ref)
        return MEASURED

    async def scenario() -> None:
        looking = versions(Field(), [], read)
        assert [await looking.reference(CLASSIFIER) for _ in range(3)] == [MEASURED] * 3
        assert await looking.reference(CLASSIFIER.model_copy(update={"reference_sha256": None})) is None

    asyncio.run(scenario())
    assert reads == [CLASSIFIER]


def test_a_reference_that_cannot_be_read_is_none_and_is_tried_again() -> None:
    answers: list[Reference | DctwireError] = [BundleError("it is no reference"), MEASURED]

    def read(_ref: ClassifierRef) -> Reference:
        answer = answers.pop(0)
        if isinstance(answer, DctwireError):
            raise answer
        return answer

    async def scenario() -> None:
        looking = versions(Field(), [], read)
        assert [await looking.reference(CLASSIFIER) for _ in range(2)] == [None, MEASURED]

    asyncio.run(scenario())


def test_nobody_waits_for_a_reference_behind_a_classifier_that_is_being_loaded() -> None:
    gate = threading.Event()

    def read(_ref: ClassifierRef) -> Reference:
        assert gate.wait(60)
        return MEASURED

    async def scenario() -> None:
        looking = versions(Field(), [], read, seconds=0.05)
        assert await looking.reference(CLASSIFIER) is None
        gate.set()

    asyncio.run(scenario())
