"""What becomes of a device's tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.fleet.tags import TAGS_MAX, changed, tags_in
from shared.errors import PeerError

some_tags = st.lists(st.sampled_from(["roof", "gate", "site=north", "site=south", "height=3", "height=4"]), max_size=4)


def test_a_tag_replaces_the_one_with_the_same_key() -> None:
    assert changed(["site=north", "roof"], add=["site=south"], remove=[]) == ("roof", "site=south")


def test_a_word_is_not_the_key_of_a_pair() -> None:
    assert changed(["site=north"], add=["site"], remove=[]) == ("site", "site=north")


def test_tags_go_by_their_whole_text_or_their_key() -> None:
    before = ["gate", "height=3", "roof", "site=north"]
    assert changed(before, add=[], remove=["site", "height=3", "gate", "what is not there"]) == ("roof",)
    assert changed(["site=north"], add=[], remove=["site=south"]) == ("site=north",)


def test_a_device_has_no_more_than_so_many_tags() -> None:
    full = [f"t{number}" for number in range(TAGS_MAX)]
    assert len(changed(full[:-1], add=["one"], remove=[])) == TAGS_MAX
    assert changed(full, add=["one"], remove=["t0"]) == ("one", *sorted(full[1:]))
    with pytest.raises(PeerError, match="at most 16 tags; these are 17"):
        changed(full, add=["one"], remove=[])


@given(some_tags.map(set), some_tags, some_tags)
def test_a_change_done_twice_is_done_once(before: set[str], add: list[str], remove: list[str]) -> None:
    once = changed(sorted(before), add=add, remove=remove)
    assert changed(once, add=add, remove=remove) == once
    assert list(once) == sorted(set(once))


def test_tags_are_read_from_a_line_with_spaces_or_commas_between_them_each_once() -> None:
    assert tags_in(" roof, site=north  roof,dock ") == ("roof", "site=north", "dock")
    assert tags_in("") == ()


@pytest.mark.parametrize("text", ["=north", "site=", "a=b=c", "röof", "x" * 65, "roof\u0660"])
def test_what_is_no_tag_is_refused_by_name(text: str) -> None:
    with pytest.raises(PeerError, match="is no tag"):
        tags_in(f"roof {text}")
