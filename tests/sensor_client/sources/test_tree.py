"""Listing a folder again and again."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sensor_client.sources.tree import PictureTree
from tests.sensor_client.sources.test_folder import save


def names(tree: PictureTree) -> list[str]:
    return sorted(relative for relative, _ in tree.files())


def test_pictures_of_sub_folders_are_listed_and_hidden_ones_and_other_files_are_not(tmp_path: Path) -> None:
    for name in ("a.png", "stop/b.PNG", "deep/er/c.png", ".hidden.png", ".thumbs/d.png"):
        save(tmp_path / name)
    (tmp_path / "note.txt").write_text("none")
    (tmp_path / "loop").symlink_to(tmp_path)

    assert names(PictureTree(tmp_path)) == ["a.png", "deep/er/c.png", "stop/b.PNG"]


def test_a_listed_folder_has_changed_once_something_came_or_went(tmp_path: Path) -> None:
    save(tmp_path / "stop" / "a.png")
    tree = PictureTree(tmp_path)
    names(tree)
    for place in (tmp_path, tmp_path / "stop"):
        os.utime(place, (1, 1))
    assert tree.has_changed()
    names(tree)
    assert not tree.has_changed()

    save(tmp_path / "stop" / "b.png")

    assert tree.has_changed()


def test_a_folder_that_is_gone_is_an_error_and_one_below_it_is_passed_over_and_told_once(
    tmp_path: Path, lines: list[Mapping[str, Any]]
) -> None:
    tree = PictureTree(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        tree.has_changed()
    with pytest.raises(FileNotFoundError):
        names(tree)

    for _ in range(3):
        assert list(PictureTree._entries(tree, str(tmp_path / "gone" / "below"))) == []
    assert [line["event"] for line in lines] == ["folder-unreadable"]
