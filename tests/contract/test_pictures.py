"""A picture file means the same to camera, server and trainer: which way up it stands, and which part is shown."""

import io
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sensor_client.sources.folder import FolderCamera
from shared.jpeg import Fit, FitMode, Resize, Sampling, Stream, Transcoder
from shared.pictures import fitted
from tests.shared.jpeg import exif, pictures
from trainer import zoo
from trainer.data import Dataset, folder
from trainer.data.cache import ArrayCache
from trainer.data.folder import CENTRE_SHARE, FolderConfig
from trainer.encoding.encodings import of_standard, steps_of
from trainer.export.bundle import Exportable
from trainer.export.onnx_graph import to_onnx
from trainer.models import DctNet, DctNetConfig

SIDE = 32
STORED = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"} | {
    6: "ROTATE_90",
    7: "TRANSVERSE",
    8: "ROTATE_270",
}
ENCODING = of_standard(90)


def stored(upright: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera writes it that is held another way."""
    return upright if orientation == 1 else upright.transpose(Image.Transpose[STORED[orientation]])


def write_tree(root: Path, upright: Image.Image) -> list[Path]:
    """A data set whose test split is one picture, held in eight ways; its files in this order."""
    for split, name in (("train", "cat"), ("train", "dog"), ("validation", "cat"), ("validation", "dog")):
        (root / split / name).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            shade = Image.fromarray(pictures.natural(SIDE, SIDE, len(list(root.rglob("*.png"))) + 1))
            shade.save(root / split / name / f"{number}.png")
    (root / "test" / "cat").mkdir(parents=True)
    (root / "test" / "dog").mkdir()
    upright.save(root / "test" / "dog" / "0.png")
    paths = [root / "test" / "cat" / f"{orientation}.png" for orientation in range(1, 9)]
    for orientation, path in enumerate(paths, start=1):
        stored(upright, orientation).save(path, exif=exif.written_by_pillow(orientation))
    return paths


def dataset(root: Path, *, crops: bool) -> Dataset:
    return folder.load(FolderConfig(root, "held", SIDE, crops=crops), ArrayCache(root.parent / "cache"))


def seen_by_cameras(paths: list[Path], fit: Fit = Fit()) -> list[NDArray[np.uint8]]:  # noqa: B008 (frozen)
    shots = {
        shot.path: shot
        for parent in {path.parent for path in paths}
        for shot in FolderCamera(parent, is_looping=False).shots(Event())
    }
    return [fitted(shots[path].pixels(), Sampling.YUV420, (SIDE, SIDE), fit) for path in paths]


@pytest.fixture(scope="module")
def content() -> Exportable:
    torch.manual_seed(0)
    net = DctNet(DctNetConfig(3, (8, 12)), torch.full((3, 64), 0.02)).eval()
    model = to_onnx(net, steps_of(ENCODING), SIDE, SIDE)
    return Exportable(encoding=ENCODING, model=model, labels=("a", "b", "c"), height=SIDE, width=SIDE)


@pytest.mark.parametrize("crops", [False, True], ids=["in memory", "in files"])
def test_a_picture_held_in_eight_ways_is_one_picture_to_camera_zoo_and_trainer(
    tmp_path: Path, content: Exportable, crops: bool
) -> None:
    upright = Image.fromarray(pictures.natural(SIDE, SIDE, 7))
    paths = write_tree(tmp_path / "tree", upright)

    assert all(np.array_equal(seen, np.asarray(upright)) for seen in seen_by_cameras(paths))

    held = dataset(tmp_path / "tree", crops=crops)
    trained_on = [held.test.pixels[row] for row in range(len(held.test)) if held.test.labels[row] == 0]
    assert len(trained_on) == 8
    assert all(np.array_equal(pixels, trained_on[0]) for pixels in trained_on)
    if not crops:
        assert np.array_equal(trained_on[0], np.asarray(upright))

    tried = zoo.classify(content, paths)
    assert len({(trial.scan_bytes, trial.wire_bytes, trial.likeliest) for trial in tried}) == 1
    assert tried[0].wire_bytes == len(ENCODING.encoder().encode(np.asarray(upright)))


def read(jpeg: bytes) -> NDArray[np.float32]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.float32)


@pytest.mark.parametrize("crops", [False, True], ids=["share 1", "share 7/8"])
def test_camera_server_and_evaluation_show_the_same_part_of_a_picture(tmp_path: Path, crops: bool) -> None:
    coarse = Image.fromarray(pictures.natural(12, 20, 9))  # enlarged: 8-bit chroma of the server's JPEG hardly matters
    upright = coarse.resize((160, 96), Image.Resampling.BICUBIC)
    paths = write_tree(tmp_path / "tree", upright)
    held = dataset(tmp_path / "tree", crops=crops)
    fit = held.fit  # what the exported bundle says
    assert fit == Fit(share=CENTRE_SHARE if crops else 1.0)
    camera = seen_by_cameras(paths, fit)[0].astype(np.float32)

    evaluated = held.test.pixels[list(held.test.labels).index(0)].astype(np.float32)
    posted = io.BytesIO()
    upright.save(posted, "JPEG", quality=98, subsampling=0)
    resize = Resize(height=SIDE, width=SIDE, fit=fit)
    server = read(Transcoder(ENCODING.tables, resize=resize).transcode(posted.getvalue(), Stream.INTERCHANGE))

    for seen, tolerance in ((evaluated, 0.1), (server, 5)):
        assert np.abs(seen - camera).mean() <= tolerance
        for other in (Fit(share=1.0 if crops else CENTRE_SHARE), Fit(FitMode.STRETCH)):
            assert np.abs(seen - seen_by_cameras(paths, other)[0]).mean() > 10
