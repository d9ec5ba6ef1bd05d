"""What may be published, rule by rule."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from cloud_server.errors import ClassifierError, ConflictError
from cloud_server.registry import publish_checks
from cloud_server.registry.catalogue import Registered
from shared.bundle import Bundle, ClassifierRef, EncoderSettings, Expected, InputGeometry, Selftest
from shared.trust import TrustError, add_target, create_targets
from tests.cloud_server.harness.frames import SIDE, tables

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER = CryptoSigner.generate_ed25519()
EMPTY = create_targets(SIGNER, NOW)


def bundle(counter: int, min_counter: int = 1) -> Bundle:
    """A bundle of family digits; its files exist nowhere."""
    return Bundle(
        family="digits",
        counter=counter,
        min_counter=min_counter,
        created_at=NOW,
        input=InputGeometry(width=SIDE, height=SIDE),
        tables=tables(50),
        settings=EncoderSettings(),
        classifier=ClassifierRef(sha256="0" * 64, labels_sha256="1" * 64, golden_sha256="2" * 64),
        expected=Expected(bytes_p50=200, bytes_p95=300, accuracy=0.5, n=10, data="noise"),
        selftest=Selftest(seed=1, sha256="3" * 64),
    )


def registered(one: Bundle) -> Registered:
    """As recorded."""
    return Registered(one, one.to_bytes(), 0.0)


def listing(*entries: tuple[str, bytes, Mapping[str, Any]], on: bytes = EMPTY) -> bytes:
    """Targets metadata with more entries; a version more for each."""
    for path, data, custom in entries:
        on = add_target(on, path, data, custom, SIGNER, NOW)
    return on


def entry(one: Bundle, **changes: Any) -> tuple[str, bytes, Mapping[str, Any]]:
    """A bundle's entry, with changes to what it says of the classifier."""
    return one.target_path, one.to_bytes(), one.target_custom | changes


def test_the_same_again_is_known() -> None:
    one = bundle(1)
    assert publish_checks.is_known(one, one.to_bytes(), registered(one), [one])


def test_a_name_has_one_content() -> None:
    one = bundle(2)
    with pytest.raises(ConflictError, match="other contents"):
        publish_checks.is_known(one, one.to_bytes(), registered(bundle(2, min_counter=2)), [])


@pytest.mark.parametrize("counters", [[], [1], [1, 2]])
def test_a_higher_counter_is_new(counters: list[int]) -> None:
    one = bundle(3)
    assert not publish_checks.is_known(one, one.to_bytes(), None, map(bundle, counters))


def test_counters_only_grow() -> None:
    one = bundle(3)
    with pytest.raises(ConflictError, match="digits/4 exists"):
        publish_checks.is_known(one, one.to_bytes(), None, [bundle(4), bundle(1)])


def test_targets_follow_the_current_version() -> None:
    once = listing(entry(bundle(1)))
    publish_checks.require_next_version(EMPTY, once)
    twice = listing(entry(bundle(2)), on=once)
    for current, offered in ((EMPTY, EMPTY), (once, EMPTY), (EMPTY, twice)):
        with pytest.raises(ConflictError, match="sign again"):
            publish_checks.require_next_version(current, offered)


def test_targets_add_what_is_published() -> None:
    one = bundle(1)
    publish_checks.require_only_addition(EMPTY, listing(entry(one)), one, one.to_bytes())


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([entry(bundle(2))], "must add digits/1.json and nothing else"),
        ([entry(bundle(1)), entry(bundle(2))], "must add digits/1.json and nothing else"),
        ([(bundle(1).target_path, b"other bytes", bundle(1).target_custom)], "not for these bytes"),
        ([(bundle(1).target_path, b" " * len(bundle(1).to_bytes()), bundle(1).target_custom)], "not for these bytes"),
        ([entry(bundle(1), classifier_sha256="9" * 64)], "does not name its classifier"),
    ],
    ids=["another", "more", "length", "digest", "classifier"],
)
def test_targets_that_add_something_else_are_refused(
    entries: list[tuple[str, bytes, Mapping[str, Any]]], match: str
) -> None:
    with pytest.raises(TrustError, match=match):
        publish_checks.require_only_addition(EMPTY, listing(*entries), bundle(1), bundle(1).to_bytes())


def test_a_family_has_one_label_set_in_any_order() -> None:
    publish_checks.require_same_labels("digits", frozenset({"one", "two"}), ("two", "one"))
    publish_checks.require_same_labels("digits", frozenset(), ("anything",))
    for labels in (("one",), ("one", "two", "three"), ("one", "three")):
        with pytest.raises(ClassifierError, match="digits has other labels"):
            publish_checks.require_same_labels("digits", frozenset({"one", "two"}), labels)
