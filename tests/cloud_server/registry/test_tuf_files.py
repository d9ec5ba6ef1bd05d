"""The TUF repository's files: which of them may change."""

import pytest

from cloud_server.registry.tuf_files import may_change


def test_the_timestamp_may_change() -> None:
    assert may_change("digits/timestamp.json")


@pytest.mark.parametrize("name", ["1.root.json", "digits/7.snapshot.json", "digits/0a.1.json"])
def test_what_carries_a_version_or_a_digest_in_its_name_never_changes(name: str) -> None:
    assert not may_change(name)
