"""What may be published, rule by rule."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from cloud_server.errors import ClassifierError, ConflictError
from cloud_server.registry import publish_checks
from cloud_server.registry.catalogue import Registered
from shared.bundle import Bundle, BundleError, ClassifierRef, EncoderSettings, Expected, InputGeometry, Selftest
from shared.trust import Target, TrustError, next_targets
from tests.cloud_server.harness.frames import SIDE, tables

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER = CryptoSigner.generate_ed25519()
EMPTY = next_targets("digits", None, [SIGNER], NOW)


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
    """Targets metadata with more entries."""
    for entry in entries:
        on = next_targets("digits", on, [SIGNER], NOW, added=Target(*entry))
    return on


def entry(one: Bundle, **changes: Any) -> tuple[str, bytes, Mapping[str, Any]]:
    """A bundle's entry, with changes to what it says of the classifier."""
    return one.target_path, one.to_bytes(), one.target_custom | changes


def test_the_same_again_is_known() -> None:
    one = bundle(1)
    assert publish_checks.is_known(one, one.to_bytes(), registered(one))
    assert not publish_checks.is_known(one, one.to_bytes(), None)


def test_a_name_has_one_content() -> None:
    one = bundle(2)
    with pytest.raises(ConflictError, match="other contents"):
        publish_checks.is_known(one, one.to_bytes(), registered(bundle(2, min_counter=2)))


@given(highest=st.integers(0, 2**31 - 1), counter=st.integers(1, 2**31 - 1), may_jump=st.booleans())
def test_counters_only_grow_and_jump_far_only_where_that_is_said(highest: int, counter: int, may_jump: bool) -> None:
    def check() -> None:
        publish_checks.require_counter(bundle(counter), highest, may_jump=may_jump)

    if counter < highest:
        with pytest.raises(ConflictError, match=f"digits/{highest} exists"):
            check()
    elif counter > highest + publish_checks.JUMP_MAX and not may_jump:
        with pytest.raises(ConflictError, match="--allow-jump"):
            check()
    else:
        check()


def test_what_is_dated_more_than_a_day_ahead_is_refused() -> None:
    made = NOW.timestamp()
    publish_checks.require_made(bundle(1), made)
    publish_checks.require_made(bundle(1), made - 86_399)
    with pytest.raises(BundleError, match="more than a day ahead"):
        publish_checks.require_made(bundle(1), made - 86_401)


def test_targets_list_what_is_published() -> None:
    one = bundle(1)
    publish_checks.require_listed(listing(entry(one), entry(bundle(2))), one, one.to_bytes())


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([entry(bundle(2))], "must add digits/1.json"),
        ([(bundle(1).target_path, b"other bytes", bundle(1).target_custom)], "not for these bytes"),
        ([(bundle(1).target_path, b" " * len(bundle(1).to_bytes()), bundle(1).target_custom)], "not for these bytes"),
        ([entry(bundle(1), classifier_sha256="9" * 64)], "says something else of it"),
    ],
    ids=["another", "length", "digest", "classifier"],
)
def test_targets_that_add_something_else_are_refused(
    entries: list[tuple[str, bytes, Mapping[str, Any]]], match: str
) -> None:
    with pytest.raises(TrustError, match=match):
        publish_checks.require_listed(listing(*entries), bundle(1), bundle(1).to_bytes())


def test_a_family_has_one_label_set_in_any_order() -> None:
    publish_checks.require_same_labels("digits", frozenset({"one", "two"}), ("two", "one"))
    publish_checks.require_same_labels("digits", frozenset(), ("anything",))
    for labels in (("one",), ("one", "two", "three"), ("one", "three")):
        with pytest.raises(ClassifierError, match="digits has other labels"):
            publish_checks.require_same_labels("digits", frozenset({"one", "two"}), labels)


def test_a_family_too_many_is_refused_and_the_last_that_has_room_is_not() -> None:
    publish_checks.require_room("digits", publish_checks.FAMILIES_MAX - 1)
    with pytest.raises(ConflictError, match="digits would be a new family"):
        publish_checks.require_room("digits", publish_checks.FAMILIES_MAX)
