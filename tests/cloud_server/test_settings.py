"""What settings mean beside what they say."""

from pathlib import Path

import pytest

from tests.cloud_server.harness.server import settings


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("", (), ("a",)), ("a", ("a",), ("b", "*")), (" a, ,b,", ("a", "b"), ("", "c")), ("*", ("a", "anything"), ())],
)
def test_families_are_named_by_commas_or_all_by_a_star(
    tmp_path: Path, text: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    families = settings(tmp_path, own_size_families=text).families_of_own_size
    assert all(name in families for name in inside)
    assert not any(name in families for name in outside)
