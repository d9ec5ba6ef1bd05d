"""Folders of picture files as the field fills them: every readable one arrives, every other one is named."""

import io
import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sensor_client.enrolment import enrol
from sensor_client.state_directory import StateDirectory
from shared.jpeg import Fit
from shared.pictures import fitted, load_pixels
from shared.wire import Enrolment
from tests.field import oddities
from tests.field.plain import EVERY, RESTARTED, STANDARD
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane
from tests.sensor_client.program import events, sensor, status
from tests.sensor_client.signed_bundles import Publisher, make_bundle
from tests.shared.jpeg import exif, pictures

BUNDLE = make_bundle(1, fit=Fit(share=0.875))
PICTURE = Image.fromarray(pictures.natural(48, 64, 3))
GREY = np.asarray(PICTURE.convert("L"))


@pytest.fixture
def device(tmp_path: Path, plane: DevicePlane, publisher: Publisher) -> Path:
    publisher.publish(BUNDLE)
    plane.assign(1, "signs", 1)
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    return state.path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def jpeg(image: Image.Image = PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def date_as_rational() -> bytes:
    """Exif that says `turn me`, and whose date is a fraction: Pillow's own parser ends in struct.error or TypeError."""
    turned = struct.pack("<HHLHH", 0x0112, 3, 1, 6, 0)
    date = struct.pack("<HHLL", 0x0132, 5, 1, 2**32 - 1)
    return exif.PREFIX + exif.start() + exif.directory("<", turned, date)


def write_unreadable(folder: Path) -> set[str]:
    """Everything that is no picture and comes first in the folder; its names."""
    whole = jpeg(Image.fromarray(pictures.natural(64, 64, 3)))
    contents = {
        "000.jpg": b"",
        "001.jpg": whole[: len(whole) // 2],
        "002.jpg": whole[: len(whole) // 2] + b"\xff\xd9",
        "003.png": b"P6 99999 99999 255\n",
        "004.tiff": b"II*\0" + bytes(60),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "005.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "006.png"))
    (folder / "007.png").symlink_to("007.png")
    Image.fromarray(GREY.astype(np.float32)).save(folder / "008.tiff")
    Image.new("1", (12_000, 9_000)).save(folder / "010.png")  # of which Pillow warns, and which is over our limit
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/009-\xff\x1b[0m.png"))
    odd.write_bytes(b"no picture")
    return {f"{folder}/{name}" for name in (*contents, "005.png", "006.png", "007.png", "008.tiff", "010.png")} | {
        f"{folder}/009-\\xff\\x1b[0m.png"
    }


def write_readable(folder: Path) -> list[Path]:
    """What cameras and phones write, and must arrive; in shooting order."""
    Image.fromarray(GREY.astype(np.uint16) * 257).save(folder / "100.png")
    (folder / "101.jpg").write_bytes(jpeg(PICTURE.transpose(Image.Transpose.ROTATE_90), exif=date_as_rational()))
    (folder / "102.jpg").write_bytes(jpeg(PICTURE.convert("CMYK")))
    (folder / "103.jpg").write_bytes(jpeg(progressive=True) + b"\0 more behind it")
    PICTURE.convert("RGBA").save(folder / "104.png")
    PICTURE.save(folder / "105.tiff")
    PICTURE.resize((1, 300)).save(folder / "106.png")
    PICTURE.save(folder / "107.webp", save_all=True, append_images=[PICTURE.rotate(90)])
    return sorted(folder.glob("1*"))


def test_no_picture_file_ends_the_sensor_or_holds_up_what_is_behind_it(
    plane: DevicePlane, device: Path, source: Path
) -> None:
    names, readable = write_unreadable(source), write_readable(source)

    for start in (0, 1):  # after a restart the same files come first again
        words = ("run", "--state", device, "--source", source, "--once", "--exit-when-drained", "--no-transcode")
        run = sensor(*words, PYTHONWARNINGS="default")
        assert run.returncode == 0, run.stderr
        assert all(line.startswith("{") for line in run.stderr.splitlines()), run.stderr
        told = {event["name"] for event in events(run.stderr) if event["event"] == "picture-unreadable"}
        assert told == names
        assert len(plane.frames) == len(readable) * (start + 1)

    encoder, sampling = BUNDLE.encoding.encoder(), BUNDLE.tables.sampling
    expected = [encoder.encode(fitted(load_pixels(path), sampling, (32, 32), BUNDLE.fit)) for path in readable]
    assert [plane.frames[sequence] for sequence in sorted(plane.frames)] == expected * 2
    counted = status(device)
    assert counted["counters"]["unreadable"] == 2 * len(names)
    assert {picture["name"]: picture["times"] for picture in counted["unreadable_pictures"]} == dict.fromkeys(names, 2)
    assert json.loads(sensor("status", "--state", device, "--json").stdout) == counted
    table = sensor("status", "--state", device).stdout
    assert table.count("unreadable picture") == 10  # the last ones


ODDITIES: dict[str, tuple[dict[str, bytes], Callable[[bytes], bytes]]] = {
    "no tables of annex K": (STANDARD, oddities.without_huffman_tables),
    "no span of a scan": (STANDARD, oddities.unset_span),
    "zeros before markers": (EVERY, lambda plain: oddities.zeros_before_markers(plain, 3)),
    "a restart marker behind the last interval": (RESTARTED, oddities.restart_marker_behind_the_last_interval),
    "zeros between segments": (EVERY, lambda plain: oddities.zeros_between_segments(plain, 3)),
    "no EOI": (EVERY, oddities.without_eoi),
    "zeros in the place of EOI": (EVERY, lambda plain: oddities.without_eoi(plain, bytes(5))),
    "Exif first": (EVERY, oddities.with_exif_first),
}


@pytest.mark.parametrize(("twins", "odd"), ODDITIES.values(), ids=ODDITIES)
def test_odd_files_of_real_cameras_show_what_their_plain_twins_show(
    tmp_path: Path, twins: dict[str, bytes], odd: Callable[[bytes], bytes]
) -> None:
    for name, plain in twins.items():
        (tmp_path / "plain.jpg").write_bytes(plain)
        (tmp_path / "odd.jpg").write_bytes(odd(plain))
        assert np.array_equal(load_pixels(tmp_path / "odd.jpg"), load_pixels(tmp_path / "plain.jpg")), name


def test_sixteen_bit_grey_is_sent_as_the_eight_bit_picture_that_it_shows(
    plane: DevicePlane, device: Path, source: Path
) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 257).save(source / "1.png")
    Image.fromarray(GREY).save(source / "2.png")
    Image.fromarray((GREY.astype(np.uint16) * 257).astype(">u2")).save(source / "3.tif")

    run = sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained")

    assert run.returncode == 0, run.stderr
    assert len(set(plane.frames.values())) == 1 and len(plane.frames) == 3
