"""Picture files: read upright, or refused by name; never a crash, a wait or half a picture."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from shared.jpeg import Fit, inspect
from shared.pictures import TRAINER_LIMITS, PictureError, load_part, load_pixels, read_pixels, shown
from tests.shared.jpeg import exif

SIDE = 48
LYING = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
LYING |= {7: "TRANSVERSE", 8: "ROTATE_270"}  # what makes an upright picture one that must be turned


def picture(width: int = 64, height: int = SIDE) -> Image.Image:
    """Smooth, and different in every corner."""
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def lying(orientation: int, upright: Image.Image) -> Image.Image:
    """The picture as a camera stores it that says `orientation`."""
    return upright if orientation == 1 else upright.transpose(Image.Transpose[LYING[orientation]])


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or picture()).save(file, kind, **options)
    return file.getvalue()


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "0.png": ("PNG", {}),
    "0.jpg": ("JPEG", {"quality": 95}),
    "0.webp": ("WEBP", {"lossless": True}),
    "0.tiff": ("TIFF", {}),
    "0.bmp": ("BMP", {}),
    "0.ppm": ("PPM", {}),
    "0.gif": ("GIF", {}),
}


@pytest.mark.parametrize("name", ["0.png", "0.jpg", "0.webp", "0.tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_as_its_exif_says(tmp_path: Path, name: str, orientation: int) -> None:
    kind, options = KINDS[name]
    stored = lying(orientation, picture())
    (tmp_path / name).write_bytes(encoded(kind, stored, exif=exif.written_by_pillow(orientation), **options))
    for pixels in (load_pixels(tmp_path / name), part_of(tmp_path / name, 64, 48)):
        assert pixels.shape == (48, 64, 3)
        assert np.abs(pixels.astype(int) - np.asarray(picture())).max() < 12


def part_of(path: Path, width: int, height: int) -> np.ndarray:
    """The whole picture, put together again from its left and right squares of 48 by 48."""
    left = load_part(path, 48, lambda *_: Fit().box(48, 48, 1, 1))
    right = load_part(path, 48, lambda w, h: Fit().box(48, 48, 1, 1)._replace(x=w - 48))
    assert (width, height) == (64, 48)
    return np.concatenate([left, right[:, 32:]], axis=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_a_large_jpeg_is_the_same_part_whichever_way_it_was_stored(tmp_path: Path, orientation: int) -> None:
    large = picture(1200, 900)
    (tmp_path / "0.jpg").write_bytes(
        encoded("JPEG", lying(orientation, large), exif=exif.written_by_pillow(orientation), quality=95)
    )
    part = load_part(tmp_path / "0.jpg", 32, lambda w, h: Fit(share=0.5).box(w, h, 1, 1))
    expected = large.resize((32, 32), Image.Resampling.LANCZOS, box=(375, 225, 825, 675))
    assert np.abs(part.astype(int) - np.asarray(expected)).max() < 8


def test_a_png_says_behind_its_samples_or_in_imagemagicks_text_how_it_is_turned(tmp_path: Path) -> None:
    stored, block = lying(6, picture()), exif.block(6)
    whole = encoded("PNG", stored)
    end = whole.index(b"IEND") - 4
    chunk = b"eXIf" + block
    late = whole[:end] + struct.pack(">L", len(block)) + chunk + struct.pack(">L", zlib.crc32(chunk)) + whole[end:]
    text = f"\nexif\n{len(block) + 6:8d}\n{(exif.PREFIX + block).hex()}\n"
    info = PngInfo()
    info.add_text("Raw profile type exif", text, zip=True)
    for content in (late, encoded("PNG", stored, pnginfo=info)):
        (tmp_path / "0.png").write_bytes(content)
        for pixels in (load_pixels(tmp_path / "0.png"), part_of(tmp_path / "0.png", 64, 48)):
            assert np.array_equal(pixels, np.asarray(picture()))


def test_of_several_exif_blocks_the_first_one_says_how_a_picture_is_turned(tmp_path: Path) -> None:
    first, second = exif.block(6), exif.block(3)
    content = exif.with_exif(exif.with_exif(encoded("JPEG", lying(6, picture()), quality=95), second), first)
    (tmp_path / "0.jpg").write_bytes(content)
    assert inspect(content).orientation == 6
    assert np.abs(load_pixels(tmp_path / "0.jpg").astype(int) - np.asarray(picture())).max() < 12


def odd_blocks() -> dict[str, bytes]:
    """Exif in which one entry has another type, count or offset than its tag should have."""
    blocks = {}
    for tag in (0x0100, 0x010F, 0x011A, 0x0128, 0x0132, 0x8298, 0x8769, 0x8825, 0xA005):
        for kind in (0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 65535):
            entry = struct.pack("<HHLL", tag, kind, 2**31 if kind == 7 else 1, 2**32 - 9)
            turned = struct.pack("<HHLHH", 0x0112, 3, 1, 6, 0)
            blocks[f"{tag:04x} as {kind}"] = exif.start() + exif.directory("<", *sorted((entry, turned)))
    return blocks


@pytest.mark.parametrize("name", ["0.png", "0.jpg", "0.webp"])
def test_no_odd_entry_of_exif_keeps_a_picture_from_being_read_and_turned(tmp_path: Path, name: str) -> None:
    kind, options = KINDS[name]
    for what, block in odd_blocks().items():
        content = encoded(kind, lying(6, picture()), exif=exif.PREFIX + block, **options)
        (tmp_path / name).write_bytes(content)
        assert load_pixels(tmp_path / name).shape == (48, 64, 3), what


@settings(max_examples=400, deadline=None)
@given(block=st.binary(max_size=200), kind=st.sampled_from(["JPEG", "PNG", "WEBP"]), is_directory=st.booleans())
def test_any_exif_at_all_leaves_the_picture_readable(
    tmp_path_factory: pytest.TempPathFactory, block: bytes, kind: str, is_directory: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-exif"
    start = exif.start() + struct.pack("<H", len(block) // 12) if is_directory else b""
    path.write_bytes(encoded(kind, picture(16, 16), exif=exif.PREFIX + start + block))
    assert load_pixels(path).shape == (16, 16, 3)


@settings(max_examples=600, deadline=None)
@given(data=st.data(), kind=st.sampled_from([kind for kind, _ in KINDS.values()]))
def test_a_file_with_changed_bytes_is_a_picture_or_an_error_that_names_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    content = bytearray(encoded(kind, picture(24, 16)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(content), 400) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(content)
    for read in (load_pixels, lambda path: load_part(path, 16, lambda w, h: Fit().box(w, h, 1, 1))):
        try:
            pixels = read(path)
        except PictureError as error:
            assert error.name == str(path) and error.reason
        else:
            assert (pixels.dtype.name, pixels.ndim, pixels.shape[2]) == ("uint8", 3, 3)


@pytest.mark.parametrize("name", KINDS)
def test_a_picture_cut_short_anywhere_is_whole_or_refused(tmp_path: Path, name: str) -> None:
    kind, options = KINDS[name]
    content = encoded(kind, **options)
    (tmp_path / name).write_bytes(content)
    whole = load_pixels(tmp_path / name)
    refused = 0
    for length in range(0, len(content), max(1, len(content) // 150)):
        (tmp_path / name).write_bytes(content[:length])
        try:
            assert np.array_equal(load_pixels(tmp_path / name), whole)
        except PictureError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_half_a_scan_is_refused_also_where_the_file_ends_in_order(tmp_path: Path, options: dict[str, Any]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = encoded("JPEG", Image.fromarray(noise), **options)
    (tmp_path / "0.jpg").write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    with pytest.raises(PictureError, match=r"0\.jpg: byte \d+: the scan ends"):
        load_pixels(tmp_path / "0.jpg")


def test_a_jpeg_of_several_pictures_or_with_more_behind_it_is_its_first_picture(tmp_path: Path) -> None:
    first, second = picture(), picture(32, 32)
    first.save(tmp_path / "0.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    whole = encoded("JPEG", quality=95)
    (tmp_path / "1.jpg").write_bytes(whole + b"\0a preview\xff\xd8\xff")
    (tmp_path / "2.jpg").write_bytes(whole[:2] + b"\xff\xe2\0\x10MPF\0" + bytes(10) + whole[2:])  # a damaged index
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        assert load_pixels(tmp_path / name).shape == (48, 64, 3)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM" + bytes(60)]
)
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.png").write_bytes(content)

    with pytest.raises(PictureError, match=r"0\.png: .+"):
        load_pixels(tmp_path / "0.png")


def png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">L", 13) + header + struct.pack(">L", zlib.crc32(header)) + bytes(99)


@pytest.mark.parametrize(
    "content",
    [
        png_claiming(2**31 - 1, 2**31 - 1),
        png_claiming(TRAINER_LIMITS.pixels // 8, 9),
        png_claiming(2**31 - 1, 1),
        png_claiming(0, 0),
        png_claiming(0, 5),
        b"P6 99999999 99999999 255\n",
        b"P6 0 9 255\n",
        b"P5 8 8 99999999\n" + bytes(64),
        b"BM" + bytes(12) + struct.pack("<LllHH", 40, 2**31 - 1, -(2**31), 1, 24) + bytes(99),
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(99),
    ],
    ids=range(10),
)
def test_a_claim_of_too_many_or_no_pixels_is_refused_before_it_costs_memory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.png").write_bytes(content)
    with pytest.raises(PictureError, match=r"0\.png: .+"):
        load_pixels(tmp_path / "0.png")


@pytest.mark.parametrize("pixels", [TRAINER_LIMITS.pixels * 5 // 4, TRAINER_LIMITS.pixels * 3])
def test_a_bomb_of_a_picture_is_refused_before_it_is_unpacked(tmp_path: Path, pixels: int) -> None:
    side = 1 << 13
    Image.new("1", (side, pixels // side)).save(tmp_path / "0.png")

    with pytest.raises(PictureError, match=str(TRAINER_LIMITS.pixels)):
        load_pixels(tmp_path / "0.png")


def test_a_jpeg_of_very_many_scans_is_refused(tmp_path: Path) -> None:
    content = encoded("JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    (tmp_path / "0.jpg").write_bytes(content[:-2] + scan * 80 + content[-2:])
    with pytest.raises(PictureError, match=r"0\.jpg"):
        load_pixels(tmp_path / "0.jpg")


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_a_line_of_pixels_is_a_picture(tmp_path: Path, size: tuple[int, int]) -> None:
    picture(*size).save(tmp_path / "0.png")
    assert load_pixels(tmp_path / "0.png").shape == (size[1], size[0], 3)
    assert load_part(tmp_path / "0.png", 16, lambda w, h: Fit().box(w, h, 1, 1)).shape == (16, 16, 3)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


ODD: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": pipe,
    "a socket": listening_socket,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nowhere": lambda path: path.symlink_to(path.parent / "gone"),
    "a link to a folder": lambda path: path.symlink_to(path.parent),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "nothing at all": lambda path: None,
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, what: str) -> None:
    ODD[what](tmp_path / "0.png")
    with pytest.raises(PictureError, match=r"0\.png: (is no file|No such file|Too many levels)"):
        load_pixels(tmp_path / "0.png")


def test_what_a_file_holds_counts_and_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(encoded("BMP"))
    assert np.array_equal(load_pixels(tmp_path / "0.png"), np.asarray(picture()))
    (tmp_path / "1.png").write_bytes(encoded("EPS"))  # would start another program
    with pytest.raises(PictureError, match=r"1\.png: is no BMP"):
        load_pixels(tmp_path / "1.png")


def test_an_error_can_be_written_anywhere_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \x1b[31m\n.png"))
    path.write_bytes(b"")
    assert shown(path) == f"{tmp_path}/caf\\xe9 \\x1b[31m\\n.png"
    with pytest.raises(PictureError) as refusal:
        load_pixels(path)
    assert str(refusal.value).encode().isascii() and str(refusal.value).startswith(shown(path))


@pytest.mark.filterwarnings("error")
def test_a_warning_that_was_made_an_error_is_a_picture_error_too(tmp_path: Path) -> None:
    Image.new("1", (1 << 13, 1 << 14)).save(tmp_path / "0.png")  # Pillow warns of a bomb
    with pytest.raises(PictureError, match=r"0\.png"):
        load_pixels(tmp_path / "0.png")


def test_a_pictures_bytes_are_read_as_its_file_is_and_named_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    picture().save(path)

    assert np.array_equal(read_pixels(path.read_bytes(), "camera"), load_pixels(path))
    for content in (b"", path.read_bytes()[:200]):
        with pytest.raises(PictureError) as caught:
            read_pixels(content, "camera")
        assert caught.value.name == "camera"
