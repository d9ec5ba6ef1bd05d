"""What the comparison with peers rests on: figures of rounds, answers that must be right, bundles to be timed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import codec_pictures
from benchmarks.bundle_frames import BundleFrames, clear_rows
from benchmarks.load import Report, Request
from benchmarks.resnet20_cifar100 import EQUAL_TO, ZOO
from benchmarks.serving_vs_peers import Side, figures_of, without_int8
from benchmarks.serving_vs_peers_report import SIDES, tables
from benchmarks.untrained_bundle import write_untrained
from tests.benchmarks.test_load import said, server
from trainer.export.bundle import read_bundle


def report(frames_per_second: float, p99_ms: float) -> Report:
    """One second under load."""
    return Report(
        seconds=1,
        answers={},
        frames=int(frames_per_second),
        wrong=0,
        resets=0,
        closed=0,
        latency_ms={"50": 1.0, "99": p99_ms},
        by_client=(),
        cpu_seconds=0,
    )


def test_ratios_are_taken_within_rounds_and_then_their_median() -> None:
    rounds = {
        "dctwire": [report(300, 10), report(900, 20), report(400, 30)],
        "fastapi": [report(100, 40), report(900, 20), report(200, 60)],
    }
    figures = figures_of(rounds, 32)
    assert figures["fps_vs_fastapi_32"] == 2
    assert figures["p99_vs_fastapi_32"] == 0.5
    assert figures["fps_dctwire_32"] == 400
    assert figures["p99_ms_fastapi_32"] == 40


def test_a_wrong_answer_ends_the_comparison() -> None:
    post = Request(before=b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", labels=("cat",))
    with (
        server(lambda _body: said("200 OK", b'{"label": "dog"}')) as address,
        pytest.raises(RuntimeError, match="answered right"),
    ):
        Side(address, [(post,)]).measure(0.1)


def test_an_untrained_bundle_is_whole_and_tells_pictures_apart(tmp_path: Path) -> None:
    sizes = write_untrained(tmp_path / "bundle", codec_pictures.pictures(32)[:64])
    bundle, files = read_bundle(tmp_path / "bundle")
    bundle.check_selftest()
    assert (bundle.input.width, bundle.input.height) == (32, 32)
    assert len(files.labels) == 100
    assert sizes["multiplications"] > sizes["parameters"] > 0
    assert len(set(BundleFrames(tmp_path / "bundle").labels)) > 10


def test_the_page_shows_every_side_of_every_size() -> None:
    figures = {
        f"{column}_{name}_{side}": side + number
        for side, names in SIDES.items()
        for number, name in enumerate(names)
        for column in ("fps", "p50_ms", "p99_ms", "fps_vs")
    }
    page = tables(figures)
    for names in SIDES.values():
        assert all(f"| {words} |" in page for words in names.values())


def test_a_bundle_without_its_twin_is_otherwise_the_same(tmp_path: Path) -> None:
    bundle, files = read_bundle(ZOO / EQUAL_TO)
    plain_bundle, plain_files = read_bundle(without_int8(ZOO / EQUAL_TO, tmp_path / "plain"))
    assert files.int8 is not None
    assert plain_files == replace(files, int8=None)
    assert plain_bundle.tables == bundle.tables


def test_only_pictures_that_all_classifiers_are_sure_of_are_sent() -> None:
    float32 = np.array([[9, 0, 0], [9, 0, 0], [9, 8.999, 0], [0, 9, 0]], np.float32)
    int8 = np.array([[9, 0, 0], [0, 9, 0], [9, 0, 0], [0, 9, 8.999]], np.float32)
    assert clear_rows(float32).tolist() == [0, 1, 3]
    assert clear_rows(float32, int8).tolist() == [0]
