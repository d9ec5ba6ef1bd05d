"""Uploads of files: how large one may be, whether its length is declared or it arrives in chunks."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from shared.wire import ProblemCode
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

pytestmark = pytest.mark.stateless
MAX_BYTES = 1024


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server that takes small files only."""
    with server_in_thread(tmp_path_factory.mktemp("small"), blob_max_bytes=MAX_BYTES) as harness:
        yield harness


def put(harness: ServerHarness, data: bytes, *, is_declared: bool) -> httpx.Response:
    """Upload a file."""
    content = data if is_declared else iter([data[:100], data[100:]])
    return harness.client("operator").put(f"/v1/blobs/{hashlib.sha256(data).hexdigest()}", content=content)


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_file_may_be_as_large_as_the_limit_and_no_larger(small: ServerHarness, is_declared: bool) -> None:
    letter = b"d" if is_declared else b"c"
    assert put(small, letter * MAX_BYTES, is_declared=is_declared).status_code == 201
    refused = put(small, letter * (MAX_BYTES + 1), is_declared=is_declared)
    assert_problem(refused, 413, ProblemCode.TOO_LARGE)
    assert not list((small.data / "blobs" / "partial").iterdir())
