"""Pictures that another program writes into a pipe."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sensor_client.sources import (
    Camera,
    Condition,
    SourceError,
    SourceOverError,
    SourceSettings,
    SourceSurroundings,
    open_source,
)
from sensor_client.sources.splitting import FRAME_LIMIT_BYTES
from shared.pictures import PictureError
from tests.sensor_client.sources.test_splitting import BOUNDARY, JPEGS, picture


class Pipe:
    """A pipe that a program writes into, in a thread of its own."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def write(self, *pieces: bytes, closes: bool = True) -> threading.Thread:
        def work() -> None:
            with suppress(OSError):
                for piece in pieces:
                    os.write(self.writing, piece)
            if closes:
                os.close(self.writing)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for descriptor in (pipe.reading, pipe.writing):
        with suppress(OSError):
            os.close(descriptor)


def camera_of(pipe: Pipe, around: SourceSurroundings, address: str = "-", **settings: Any) -> Camera:
    return open_source(address, SourceSettings(**settings), replace(around, input_descriptor=pipe.reading))


def test_mjpeg_is_taken_picture_by_picture_and_its_end_ends_the_source(pipe: Pipe, around: SourceSurroundings) -> None:
    pipe.write(*(BOUNDARY + jpeg for jpeg in JPEGS))

    shots = list(camera_of(pipe, around).shots(threading.Event()))

    assert [shot.jpeg() for shot in shots] == JPEGS
    assert shots[0].captured_at == around.clock.now() and shots[0].pixels().shape == (24, 40, 3)
    assert (around.health.report.condition, around.health.report.pictures) == (Condition.ENDED, 4)


def test_ppm_and_pgm_are_known_by_how_they_begin(pipe: Pipe, around: SourceSurroundings) -> None:
    pipe.write(picture("PPM") + picture("PPM", mode="L"))

    shots = list(camera_of(pipe, around).shots(threading.Event()))

    assert [(shot.jpeg(), shot.pixels().shape) for shot in shots] == [(None, (24, 40, 3))] * 2


def test_frames_with_their_length_may_be_of_any_kind(pipe: Pipe, around: SourceSurroundings) -> None:
    files = [picture("PNG"), JPEGS[0]]
    pipe.write(b"".join(len(each).to_bytes(4) + each for each in files))

    shots = list(camera_of(pipe, around, "stdin:frames").shots(threading.Event()))

    assert [shot.jpeg() for shot in shots] == [None, JPEGS[0]]


def test_a_picture_that_is_damaged_is_one_unreadable_picture_and_the_next_is_good(
    pipe: Pipe, around: SourceSurroundings, lines: list[Mapping[str, Any]]
) -> None:
    half = JPEGS[0][: len(JPEGS[0]) - 40]
    pipe.write(half, b"\xff\xd8\xff\xe0\x00\x00", JPEGS[1])

    cut, whole = camera_of(pipe, around).shots(threading.Event())

    with pytest.raises(PictureError, match="standard input"):
        cut.pixels()
    assert whole.jpeg() == JPEGS[1]
    assert "stream-damaged" in [line["event"] for line in lines]


@pytest.mark.parametrize(("piece", "losses"), [(JPEGS[0] + bytes(60_000), 0), (b"no picture" * 6000, 1)])
def test_an_input_without_pictures_is_lost_after_as_much_as_one_may_have_and_one_with_pictures_is_not(
    pipe: Pipe, around: SourceSurroundings, piece: bytes, losses: int
) -> None:
    pipe.write(*[piece] * (FRAME_LIMIT_BYTES // len(piece) + 10))

    pictures = sum(1 for _ in camera_of(pipe, around).shots(threading.Event()))

    assert (around.health.report.losses, pictures > 0) == (losses, not losses)
    assert ("no picture in" in (around.health.report.fault or "")) is bool(losses)


def test_a_pipe_that_is_silent_does_not_hold_up_a_stop(pipe: Pipe, around: SourceSurroundings) -> None:
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()

    assert list(camera_of(pipe, around).shots(stop)) == []
    assert around.health.report.condition is Condition.WAITING


def test_a_pipe_waits_where_every_picture_is_wanted_and_else_the_newest_wins(
    around: SourceSurroundings,
) -> None:
    for keeps_newest in (False, True):
        pipe = Pipe()
        writing = pipe.write(*[JPEGS[0]] * 500, JPEGS[1])
        shots = camera_of(pipe, around, keeps_newest=keeps_newest).shots(threading.Event())
        taken = [next(shots).jpeg()]
        writing.join(timeout=10.0 if keeps_newest else 0.2)
        assert writing.is_alive() is not keeps_newest
        taken += [shot.jpeg() for shot in shots]

        assert taken[-1] == JPEGS[1]
        assert len(taken) + around.health.report.dropped == 501
        os.close(pipe.reading)


def test_a_terminal_and_a_closed_input_are_no_sources(around: SourceSurroundings) -> None:
    master, terminal = os.openpty()
    for descriptor in (terminal, 999):
        with pytest.raises(SourceError, match="pipe a camera"):
            open_source("-", SourceSettings(), replace(around, input_descriptor=descriptor))
    os.close(master)
    os.close(terminal)


def test_a_pipe_that_was_to_go_on_breaks_off(
    pipe: Pipe, around: SourceSurroundings, lines: list[Mapping[str, Any]]
) -> None:
    pipe.write(*JPEGS)
    shots = camera_of(pipe, around, may_end=False).shots(threading.Event())

    assert [next(shots).jpeg() for _ in JPEGS] == JPEGS
    with pytest.raises(SourceOverError, match="standard input has ended"):
        next(shots)
    report = around.health.report
    assert report.condition is Condition.ENDED and report.is_lost and report.losses == 1
    assert [(line["event"], line["log_level"]) for line in lines] == [("source-ended", "warning")]
