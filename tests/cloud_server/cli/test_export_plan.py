"""Where exported frames go: a folder a class on any file system, and what was measured on is never trained on."""

import unicodedata
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.cli.export_plan import Placed, Split, details_placed, folder_of, next_split, placed

LABELS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128)
HISTORIES = st.lists(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), max_size=30), max_size=4)
WINDOWS_FORBIDS = set('<>:"/\\|?*')


@given(LABELS)
def test_a_folder_s_name_works_on_every_file_system(label: str) -> None:
    name = folder_of(label)
    assert 1 <= len(name.encode()) <= 64
    assert name.isascii()
    assert not WINDOWS_FORBIDS & set(name)
    assert name == name.lower() == name.strip()
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "


@given(LABELS, LABELS)
def test_two_labels_never_share_a_folder(one: str, other: str) -> None:
    assert (folder_of(one) == folder_of(other)) == (one == other)


@pytest.mark.parametrize("label", ["cat", "n01440764", "traffic light", "class_7", "a"])
def test_a_plain_label_is_its_folder(label: str) -> None:
    assert folder_of(label) == label


@pytest.mark.parametrize(
    "label", ["..", ".", "/etc/passwd", "a/b", "CON", "con", "nul", "Cat", "cat ", " cat", "cät", "~", "a\u202eb", "🐈"]
)
def test_any_other_label_gets_a_digest(label: str) -> None:
    assert "~" in folder_of(label)
    assert folder_of(label) != folder_of(unicodedata.normalize("NFD", label) + "x")


@given(HISTORIES, st.floats(0, 0.9))
def test_every_class_can_be_trained_and_measured_whatever_was_exported_before(
    history: list[list[tuple[int, str]]], test_share: float
) -> None:
    earlier: dict[str, Placed] = {}
    for labelled in history:
        frames = [(f"d.{number}", label) for number, label in dict(labelled).items()]
        places = placed(frames, earlier, test_share)
        assert sorted((place.frame_id, place.label) for place in places) == sorted(frames)
        splits: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for place in places:
            splits[place.label][place.split] += 1
        for counts in splits.values():
            if counts.total() == 1:
                assert counts == {Split.WAITING: 1}
            else:
                assert counts[Split.TRAIN] >= 1
                assert counts[Split.TEST] >= 1
                assert not counts[Split.WAITING]
        earlier = {place.frame_id: place for place in places}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.floats(0, 0.9))
def test_a_frame_that_was_measured_on_is_never_trained_on(labels: list[str], test_share: float) -> None:
    """As more frames of the same labels come, those that are there stay where they are."""
    earlier: dict[str, Placed] = {}
    for count in range(1, len(labels) + 1):
        frames = [(f"d.{number}", label) for number, label in enumerate(labels[:count])]
        now = {place.frame_id: place for place in placed(frames, earlier, test_share)}
        for frame_id, place in earlier.items():
            assert place.split is Split.WAITING or now[frame_id].split is place.split
        earlier = now


def test_the_test_share_is_kept() -> None:
    there: list[Split] = []
    for _ in range(100):
        there.append(next_split(there, 0.2))
    assert there.count(Split.TEST) == 20


def test_details_have_a_place_of_their_own_and_those_of_measured_frames_none() -> None:
    frames = {name: Placed(name, "Zwei", split) for name, split in zip("abc", Split, strict=False)}
    details = [(f"detail of {name}", name, "Zwei") for name in "abcd"]
    found = details_placed(details, frames)
    assert [place.frame_id for place in found] == ["detail of a", "detail of c", "detail of d"]
    assert found[0].file == f"details/{folder_of('Zwei')}/detail of a.jpg"
