"""Whether nets wait for their pictures: what a batch costs to load, and what one training step on it costs.

For each size, in one run and in turns, on one core each: `step` is forward, backward and optimiser of the serving net
for that size, fp32; `coefficients` augments pictures in memory and takes their DCT in torch; `levels` augments and
quantises them with the codec; `files`, at 224 px, decodes random crops of 500 x 375 JPEG files and quantises them.
Loading runs beside the steps, in threads of its own. n counts the rounds of all sizes.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks import record
from benchmarks.rounds import Rounds, measure, on_processors
from shared.jpeg import Encoder, TableSet
from trainer.data import Split
from trainer.data.dataset import Augmentation
from trainer.data.picture_files import PictureFiles
from trainer.diff_jpeg import Planes, coefficients
from trainer.models import BodyKind, DctNet, DctNetConfig
from trainer.recipes.recipe import Optimiser
from trainer.training.compute import Compute
from trainer.training.fitting import NetFitter

SECONDS = 20.0  # a size
QUALITY = 50
FILES = 64
NETS = {
    32: DctNetConfig(100, (96, 192)),
    64: DctNetConfig(200, (64, 128, 256)),
    224: DctNetConfig(1000, (64, 128, 256), blocks=3, expansion=1, kind=BodyKind.INVERTED),
}
BATCHES = {32: 128, 64: 128, 224: 16}


def main() -> int:
    """Measure every size, record."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    n = 0
    with tempfile.TemporaryDirectory() as folder:
        for side, batch in BATCHES.items():
            works = works_of(side, batch, Path(folder))
            rounds = measure({name: on_processors(work) for name, work in works.items()}, batch, SECONDS)
            figures |= figures_of(rounds, side)
            n += rounds.count
    record.write("data_path", n, figures, f"torch {torch.__version__}, 1 thread a side")
    return 0


def works_of(side: int, batch: int, folder: Path) -> Mapping[str, Callable[[], object]]:
    """What is measured, each for one batch."""
    in_memory = Split(smooth_pictures(batch, side, side), np.zeros(batch, np.int64))
    load = partial(in_memory.varied, np.arange(batch), Augmentation(pad=side // 8, flip=True), seed=1, epoch=1)
    works: dict[str, Callable[[], object]] = {
        "step": training_step(side, batch),
        "coefficients": lambda: coefficients(torch.from_numpy(load().pixels)),
        "levels": lambda: levels(load()),
    }
    if side == max(BATCHES):
        in_files = Split(jpeg_files(folder, side), np.zeros(FILES, np.int64))
        some = partial(in_files.varied, np.arange(batch), Augmentation(flip=True), seed=1, epoch=1)
        works["files"] = lambda: levels(some())
    return works


def training_step(side: int, batch: int) -> Callable[[], object]:
    """One step of the serving net for pictures of that size."""
    net = DctNet(NETS[side], torch.full((3, 64), 0.02))
    fitter = NetFitter(net, Optimiser(epochs=1, batch=batch), 10_000_000, Compute(torch.device("cpu"), torch.float32))
    planes = Planes(
        100 * torch.randn(batch, 64, side // 8, side // 8), 100 * torch.randn(batch, 128, side // 16, side // 16)
    )
    labels = torch.randint(NETS[side].classes, (batch,))
    return lambda: fitter.step(fitter.task_loss(planes, labels))


def levels(split: Split) -> object:
    """The codec's, of every picture."""
    return Encoder(TableSet.standard(QUALITY)).quantise_batch(split.pixels)


def smooth_pictures(count: int, height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Uint8 (count, height, width, 3) with some detail and some noise."""
    generator = np.random.default_rng(1)
    coarse = generator.integers(0, 230, (count, height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    large = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    return large + generator.integers(0, 25, large.shape, dtype=np.uint8)


def jpeg_files(folder: Path, size: int) -> PictureFiles:
    """Files as ImageNet has them."""
    names = [f"{number}.jpg" for number in range(FILES)]
    for name, pixels in zip(names, smooth_pictures(FILES, 375, 500), strict=True):
        Image.fromarray(pixels).save(folder / name, quality=90)
    return PictureFiles(folder, names, size)


def figures_of(rounds: Rounds, side: int) -> dict[str, float]:
    """Pictures a second of one core, and how many times faster than the step."""
    rates = {f"{name}_per_second_{side}px": 1 / rounds.least(name) for name in rounds.seconds}
    ways = [name for name in rounds.seconds if name != "step"]
    return rates | {f"{name}_vs_step_{side}px": rounds.times_faster(name, "step") for name in ways}


if __name__ == "__main__":
    sys.exit(main())
