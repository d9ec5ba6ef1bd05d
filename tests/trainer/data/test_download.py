"""A published file over HTTP: it comes whole and as published, goes on where it stopped, or says why not."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.http_proxy import HttpProxy
from tests.trainer.data.file_server import FileServer, serving
from trainer.data.download import Patience, Published, download, is_published
from trainer.errors import DatasetError

CONTENT = bytes(range(256)) * 2_000
SHORT = Patience(connect_seconds=5, silence_seconds=0.3, deadline_seconds=5)


def published(server: FileServer, content: bytes = CONTENT) -> Published:
    return Published("archive.tar.gz", server.url, len(content), hashlib.sha256(content).hexdigest())


def fetch(server: FileServer, path: Path, content: bytes = CONTENT, **others: Any) -> None:
    download(published(server, content), path, time.monotonic, **{"patience": SHORT} | others)


def test_a_file_comes_whole_and_progress_counts_its_bytes(tmp_path: Path) -> None:
    seen = []
    with serving(FileServer(CONTENT)) as server:
        fetch(server, tmp_path / "a", progress=lambda here, total: seen.append((here, total)))
        assert is_published(published(server), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_comes_through_the_proxy_that_the_environment_names(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT)) as server, HttpProxy() as proxy:
        far = replace(published(server), url=server.url.replace("127.0.0.1", "data.example"))
        fetch(server, tmp_path / "near", environment={"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "[::1]"})
        download(far, tmp_path / "far", time.monotonic, patience=SHORT, environment={"HTTP_PROXY": proxy.url})
        assert proxy.asked == [f"GET {far.url}"]
    assert (tmp_path / "far").read_bytes() == CONTENT
    with pytest.raises(DatasetError, match="through the proxy"):
        download(far, tmp_path / "gone", time.monotonic, patience=SHORT, environment={"HTTP_PROXY": proxy.url})


def test_what_was_cut_off_goes_on_from_where_it_stopped(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT, cut=300_000)) as server:
        with pytest.raises(DatasetError, match="the same command goes on"):
            fetch(server, tmp_path / "a")
        assert not (tmp_path / "a").exists()
        came = (tmp_path / "a.part").stat().st_size
        server.cut = None
        fetch(server, tmp_path / "a")
    assert 0 < came <= 300_000
    assert server.asked == [None, f"bytes={came}-"]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_that_cannot_go_on_sends_all_of_it_again(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"other bytes")
    with serving(FileServer(CONTENT, ranges=False)) as server:
        fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_refused_and_removed(tmp_path: Path) -> None:
    with (
        serving(FileServer(CONTENT[:-1] + b"x")) as server,
        pytest.raises(DatasetError, match=r"a: what http://127.* sends is not the published file"),
    ):
        fetch(server, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_longer_file_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT * 50)) as server, pytest.raises(DatasetError, match="more bytes come"):
        fetch(server, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_server_that_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT, hangs=True)) as server, pytest.raises(DatasetError, match="timed out"):
        fetch(server, tmp_path / "a")


def test_a_server_that_drips_has_an_end_as_well(tmp_path: Path) -> None:
    now = iter(range(0, 1_000_000, 10))
    with serving(FileServer(CONTENT)) as server, pytest.raises(DatasetError, match="not whole within 5 s"):
        download(published(server), tmp_path / "a", lambda: next(now), patience=SHORT)


@pytest.mark.parametrize("status", [404, 403, 500, 416])
def test_an_answer_that_is_no_file_is_told(tmp_path: Path, status: int) -> None:
    (tmp_path / "a.part").write_bytes(b"some bytes")
    with serving(FileServer(CONTENT, status=status)) as server:
        with pytest.raises(DatasetError, match=f"the server answers {status}"):
            fetch(server, tmp_path / "a")
        server.status = 200
        fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_no_connection_is_told_with_what_to_do(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        pass
    with pytest.raises(DatasetError, match=r"a: cannot be fetched from http://127.*refused.*by other means"):
        fetch(server, tmp_path / "a")
