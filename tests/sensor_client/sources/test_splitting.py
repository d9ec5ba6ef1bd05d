"""A stream of bytes to the pictures in it."""

import io
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sensor_client.sources.splitting import JpegSplitter, LengthSplitter, PnmSplitter, Splitter, splitter_for

BOUNDARY = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n"


def picture(kind: str, seed: int = 0, mode: str = "RGB", lightness: float = 1.0, **options: object) -> bytes:
    file = io.BytesIO()
    gradient = Image.linear_gradient("L").rotate(seed * 10).resize((40, 24))
    gradient.point(lambda value: value * lightness).convert(mode).save(file, kind, **options)
    return file.getvalue()


def with_thumbnail(jpeg: bytes) -> bytes:
    """An APP1 that holds a whole JPEG, as Exif does."""
    inside = b"Exif\0\0" + picture("JPEG", 7)
    return jpeg[:2] + b"\xff\xe1" + (len(inside) + 2).to_bytes(2) + inside + jpeg[2:]


JPEGS = [
    picture("JPEG"),
    with_thumbnail(picture("JPEG", 1)),
    picture("JPEG", 2, progressive=True),
    picture("JPEG", 3, mode="L", restart_marker_blocks=1),
]


def split(splitter: Splitter, stream: bytes, size: int) -> list[bytes]:
    found = [each for at in range(0, len(stream), size) for each in splitter.pictures(stream[at : at + size])]
    rest = splitter.rest()
    return found if rest is None else [*found, rest]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("between", [b"", bytes(5), BOUNDARY, b"\xff\xff\n"], ids=["nothing", "zeros", "parts", "fill"])
def test_jpegs_are_split_whole_whatever_is_between_and_however_the_bytes_come(between: bytes, size: int) -> None:
    splitter = JpegSplitter()

    assert split(splitter, between + between.join(JPEGS) + between, size) == JPEGS
    assert splitter.damages == 0


def test_a_jpeg_without_its_end_ends_where_the_next_one_begins_or_the_input_does() -> None:
    without = [jpeg[:-2] for jpeg in JPEGS]

    assert split(JpegSplitter(), b"".join(without), 11) == without


def test_zeros_behind_the_beginning_belong_to_the_picture() -> None:
    odd = JPEGS[0][:2] + bytes(3) + JPEGS[0][2:]

    assert split(JpegSplitter(), odd + JPEGS[1], 5) == [odd, JPEGS[1]]


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xd8\xff\xe0\x00\x00rubbish",  # a length that no segment has
        b"\xff\xd8\xff\xdb\x00\x43short\xff\xff",  # one that leads astray
        b"\xff\xd8\xff\xd8",
        b"\xff\xd8\xff\x00",
        b"\x00\x01\xff\xd8text",
    ],
)
def test_after_damage_the_next_whole_picture_is_found(damage: bytes) -> None:
    assert split(JpegSplitter(), damage + b"".join(JPEGS), 13)[-3:] == JPEGS[1:]


def test_a_picture_over_the_limit_is_passed_over_and_the_next_one_found() -> None:
    splitter = JpegSplitter(limit_bytes=len(JPEGS[0]) + 10)
    huge = JPEGS[0][:-2] + b"\x11" * 5000 + b"\xff\xd9"

    assert split(splitter, huge + JPEGS[0], 100) == [JPEGS[0]]
    assert splitter.damages >= 1
    assert list(JpegSplitter(limit_bytes=100).pictures(JPEGS[0] + JPEGS[1])) == []


def test_a_length_that_leads_into_the_next_picture_does_not_cost_it() -> None:
    assert split(JpegSplitter(), b"\xff\xd8\xff\xdb\x00\x43short" + b"".join(JPEGS), 10**6) == JPEGS


@pytest.mark.parametrize("make", [JpegSplitter, PnmSplitter, LengthSplitter])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([*JPEGS, b"\xff\xd8\xff", b"P6 1 1 "])), max_size=8))
def test_no_bytes_make_a_splitter_fail_or_keep_more_than_its_limit(
    make: Callable[[int], JpegSplitter | PnmSplitter | LengthSplitter], pieces: list[bytes]
) -> None:
    splitter = make(2000)
    for piece in pieces:
        assert all(len(each) <= 2000 for each in splitter.pictures(piece))
        assert len(splitter._buffer) <= 2000 + len(piece) + 4
    splitter.rest()


def test_frames_with_their_length_before_them_may_be_files_of_any_kind() -> None:
    files = [picture("PNG"), JPEGS[0], b"", picture("WEBP")]
    stream = b"".join(len(each).to_bytes(4) + each for each in files)

    assert split(LengthSplitter(), stream, 9) == [files[0], files[1], files[3]]
    assert LengthSplitter().rest() is None


def test_a_frame_that_says_it_is_longer_than_the_limit_is_skipped_by_its_length() -> None:
    splitter = LengthSplitter(limit_bytes=2000)
    stream = (5000).to_bytes(4) + bytes(5000) + len(JPEGS[0]).to_bytes(4) + JPEGS[0]

    assert split(splitter, stream, 999) == [JPEGS[0]] and splitter.damages == 1


def test_a_picture_as_large_as_the_limit_is_taken() -> None:
    files = [JPEGS[0], picture("PPM")]

    assert split(JpegSplitter(limit_bytes=len(files[0])), files[0], 99) == files[:1]
    assert split(PnmSplitter(limit_bytes=len(files[1])), files[1], 99) == files[1:]
    assert split(LengthSplitter(limit_bytes=len(files[0])), len(files[0]).to_bytes(4) + files[0], 99) == files[:1]


@pytest.mark.parametrize("size", [1, 17, 10**6])
def test_pnm_pictures_are_split_by_their_headers(size: int) -> None:
    files = [
        picture("PPM"),
        picture("PPM", 1, mode="L"),
        b"P5 # grey\n# of two bytes\n1 1\n65535\nab",
        picture("PPM", 2),
    ]

    splitter = PnmSplitter()
    assert split(splitter, b"\n".join(files), size) == files and splitter.damages == 0


def test_after_a_damaged_or_enormous_header_the_next_pnm_picture_is_found() -> None:
    good = picture("PPM")
    splitter = PnmSplitter(limit_bytes=5000)

    assert split(splitter, b"rubbish P6 999999 999999 255\n" + good, 10) == [good]
    assert splitter.damages == 2


def test_how_a_stream_begins_says_what_it_is() -> None:
    assert isinstance(splitter_for(b"P6"), PnmSplitter)
    assert isinstance(splitter_for(b"\xff\xd8"), JpegSplitter)
    assert isinstance(splitter_for(b"--frame"), JpegSplitter)


def test_headers_with_comments_that_never_end_take_no_time_that_grows_with_the_input() -> None:
    splitter = PnmSplitter()
    began = time.process_time()

    assert list(splitter.pictures(b"P6 #" * 100_000)) == []

    assert time.process_time() - began < 2.0  # with a search up to the input's end for each: minutes
