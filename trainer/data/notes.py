"""What a person should know of a tree's pictures before trusting figures: what is left out, drawn, or there twice."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from trainer.data.dataset import Rows, SplitName
from trainer.data.picture_tree import Tree
from trainer.data.survey import Survey, shown

_MEANING = {
    SplitName.TRAIN: "the net learns from them, so the measured accuracy is too high",
    SplitName.VALIDATION: "what was chosen by the ones is measured on the others",
}


def of_unreadable(tree: Tree, found: Survey) -> Iterator[str]:
    """Pictures that cannot be read, and are left out."""
    faults = found.faults[~found.readable].tolist()
    if faults:
        yield f"{len(faults)} of {len(tree.names)} pictures cannot be read and are left out: {shown(faults)}"


def of_drawn(tree: Tree, splits: Mapping[SplitName, Rows]) -> Iterator[str]:
    """A test split that nobody set aside by hand."""
    if SplitName.TEST not in tree.splits:
        yield (
            f"there is no folder test: {len(splits[SplitName.TEST])} pictures were drawn from all for measuring. "
            "Pictures of one camera and hour resemble each other: a test folder of other recordings says more"
        )


def of_twins(tree: Tree, splits: Mapping[SplitName, Rows], twins: Rows) -> Iterator[str]:
    """The same picture in two splits, or under two classes."""
    for one, other in combinations(SplitName, 2):
        known = dict(zip(twins[splits[one]].tolist(), splits[one].tolist(), strict=True))
        both = [(row, known[twin]) for row, twin in _with_twins(splits[other], twins) if twin in known]
        if both:
            yield (
                f"{len(both)} of {len(splits[other])} {other} pictures are in {one} as well ({_pairs(tree, both)}): "
                f"{_MEANING[one]}. Keep each picture in one split only"
            )
    yield from _of_two_classes(tree, np.sort(np.concatenate(list(splits.values()))), twins)


def of_labels(labels: tuple[str, ...]) -> Iterator[str]:
    """Labels that differ in case only: two classes, if that is meant."""
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(label.casefold(), []).append(label)
    for words in alike.values():
        if len(words) > 1:
            yield f"{' and '.join(map(repr, words))} are different classes: put them into one folder if that is a slip"


def _of_two_classes(tree: Tree, rows: Rows, twins: Rows) -> Iterator[str]:
    first: dict[int, int] = {}
    both = []
    for row, twin in _with_twins(rows, twins):
        if tree.labels[first.setdefault(twin, row)] != tree.labels[row]:
            both.append((row, first[twin]))
    if both:
        yield (
            f"pictures that stand under two classes: {len(both)} ({_pairs(tree, both)}); one of two labels is wrong, "
            "and no classifier can be right about both"
        )


def _with_twins(rows: Rows, twins: Rows) -> Iterator[tuple[int, int]]:
    return zip(rows.tolist(), twins[rows].tolist(), strict=True)


def _pairs(tree: Tree, rows: list[tuple[int, int]]) -> str:
    return shown([f"{tree.names[one]} = {tree.names[other]}" for one, other in rows])
