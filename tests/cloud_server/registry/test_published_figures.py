"""What metrics say of published bundles: the newest of each family, and what was expected of a bounded number."""

from pathlib import Path

from cloud_server.registry.catalogue import Registered
from cloud_server.registry.published_figures import VERSIONS_NAMED_MAX, expected_of, newest_of
from cloud_server.upkeep_metrics import ExpectedFigures
from shared.bundle import Bundle


def registered(folder: Path, family: str, counter: int, at: float) -> Registered:
    """A published bundle; all are alike but for their names."""
    bundle = Bundle.from_bytes((folder / "bundle.json").read_bytes())
    return Registered(bundle.model_copy(update={"family": family, "counter": counter}), b"", at)


def test_the_newest_bundle_of_each_family_is_the_one_that_was_published_last(bundle_folders: dict[int, Path]) -> None:
    published = [
        registered(bundle_folders[1], family, counter, at)
        for family, counter, at in (("gate", 1, 5.0), ("gate", 3, 9.0), ("gate", 2, 7.0), ("roof", 1, 2.0))
    ]
    assert newest_of(published) == {"gate": 9.0, "roof": 2.0}


def test_what_the_trainer_measured_is_told_by_version(bundle_folders: dict[int, Path]) -> None:
    one = registered(bundle_folders[1], "gate", 7, 1.0)
    assert isinstance(one.published, Bundle)
    expected = one.published.expected
    assert expected_of([one]) == [
        ExpectedFigures("gate", "v7", expected.bytes_p50, expected.bytes_p95, expected.accuracy)
    ]


def test_so_many_versions_of_a_family_are_told_and_the_newest_of_them(bundle_folders: dict[int, Path]) -> None:
    many = [registered(bundle_folders[1], "gate", counter, 1.0) for counter in range(1, VERSIONS_NAMED_MAX + 3)]
    told = [one.tables for one in expected_of(many)]
    assert told == [f"v{counter}" for counter in range(VERSIONS_NAMED_MAX + 2, 2, -1)]
