"""Tags: words by which operators tell devices apart, such as `roof` or `site=north`. Pure rules.

A tag that has a key replaces the one with the same key: a device is on one site.
"""

import re
from collections.abc import Sequence

from shared.bundle import TAG_CHARACTERS_MAX, TAG_PATTERN
from shared.errors import PeerError

__all__ = ["TAG", "TAGS_MAX", "TAG_CHARACTERS_MAX", "changed", "tags_in"]

TAGS_MAX = 16
TAG = TAG_PATTERN
_TAG = re.compile(TAG, re.ASCII)


def changed(before: Sequence[str], *, add: Sequence[str], remove: Sequence[str]) -> tuple[str, ...]:
    """The tags of a device after a change, in order.

    Args:
        remove: whole tags, or keys; what is not there is no fault. It is done before `add`.

    Raises:
        PeerError: there would be more than `TAGS_MAX`.
    """
    left = [tag for tag in before if tag not in remove and _key(tag) not in remove]
    for tag in add:
        left = [other for other in left if other != tag and (_key(other) is None or _key(other) != _key(tag))]
        left.append(tag)
    if len(left) > TAGS_MAX:
        raise PeerError(f"a device has at most {TAGS_MAX} tags; these are {len(left)}")
    return tuple(sorted(left))


def tags_in(text: str) -> tuple[str, ...]:
    """The tags in a line that somebody typed, with spaces or commas between them.

    Raises:
        PeerError: one of them is no tag.
    """
    tags = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for tag in tags:
        if len(tag) > TAG_CHARACTERS_MAX or not _TAG.fullmatch(tag):
            raise PeerError(f"{tag[:TAG_CHARACTERS_MAX]} is no tag: a word such as roof, or a pair such as site=north")
    return tags


def _key(tag: str) -> str | None:
    """The key of `key=value`; None of a word."""
    key, is_pair, _ = tag.partition("=")
    return key if is_pair else None
