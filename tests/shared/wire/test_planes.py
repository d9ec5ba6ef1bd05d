"""A plane is recognised by its own description."""

import pytest

from shared.wire import Plane, plane_of


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"info": 1}',
        b'{"info": {"title": "petstore"}}',
        b'{"info":{"title":[]}}',
        b"\xff",
        b"[" * 100_000,
        b"null",
    ],
)
def test_what_is_no_description_of_ours_is_no_plane(document: bytes) -> None:
    assert plane_of(document) is None


def test_a_plane_is_known_by_its_title() -> None:
    assert plane_of(b'{"openapi": "3.1.0", "info": {"title": "dctwire ops plane", "version": "1"}}') is Plane.OPS
