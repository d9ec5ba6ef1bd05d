"""What posting ordinary JPEGs of one's own size costs in accuracy, and what resizing them in the codec costs in time.

CIFAR-100's test pictures, which DCTWIRE_DATA names the folder of, are enlarged to 480 x 480 (Pillow, bicubic), widened
to 640 x 480 by mirroring 80 columns on each side, which the default fit crops off, and saved by Pillow at quality 90 in
4:2:0. `resized`: the codec brings these files to 32 x 32 and quantises them with the tables and settings of the zoo's
entry at 150 bytes. `sensor`: what a sensor makes of the same files with Pillow. `original`: the same tables on the
pictures that were enlarged. `label_agreement` is between `resized` and `sensor`, in float32, `level_agreement` the
share of equal levels. n counts the pictures.

Time, in turns on one core, in microseconds of processor time a file: `codec` and `codec_levels` are `Transcoder`'s
streams and levels, `decoding` is `Decoder` alone, `pillow` is a whole decoding, LANCZOS and our encoder, and
`pillow_draft` the same after libjpeg's own reduction to twice the size at least.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from benchmarks import record
from benchmarks.rounds import for_each, measure
from shared.jpeg import Decoder, Fit, Resize, Sampling, Transcoder
from shared.pictures import Pixels, fitted
from trainer import zoo
from trainer.data import Split, SplitName
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.export.classifier import OnnxClassifier
from trainer.recipes import recipe as recipes

ENTRY: Final = "cifar100-150"
PICTURES: Final = 10_000
HEIGHT, WIDTH, QUALITY = 480, 640, 90
BATCH: Final = 200
TIMED_FILES: Final = 32
SECONDS: Final = 20.0
RESIZE: Final = Resize(32, 32, Fit())
# Levels of several pictures: y int16 (n, 64, 4, 4), c int16 (n, 128, 2, 2).
Levels = tuple[NDArray[np.int16], NDArray[np.int16]]


def main() -> int:
    """Measure, record."""
    if "DCTWIRE_DATA" not in os.environ:
        print("DCTWIRE_DATA must name the folder with cifar-100-python", file=sys.stderr)
        return 1
    entry = next(found for found in zoo.entries(Path(zoo.__file__).parent) if found.name == ENTRY)
    pictures = test_pictures()
    record.write("resized", len(pictures.labels), accuracies(entry, pictures) | times(entry, pictures), ENTRY)
    return 0


def test_pictures() -> Split:
    """All test pictures, 32 x 32."""
    with TemporaryDirectory() as cache:
        data = Catalogue(Path(os.environ["DCTWIRE_DATA"]), ArrayCache(Path(cache)))
        return data.pictures(recipes.load("cifar100-improved").data, SplitName.TEST, PICTURES)[0]


def accuracies(entry: zoo.Entry, pictures: Split) -> dict[str, float]:
    """Of each way to the same tables, and how the labels and levels of resizing in the codec agree with a sensor's."""
    ways, classifier = ways_of(entry), OnnxClassifier(entry.content.model)
    said: dict[str, list[NDArray[np.intp]]] = {name: [] for name in ways}
    levels_agree: list[float] = []
    for pixels in batches(pictures.pixels):
        files = [file_of(each) for each in pixels]
        found = {name: way(pixels, files) for name, way in ways.items()}
        pairs = zip(found["resized"], found["sensor"], strict=True)
        levels_agree.append(float(np.mean(np.concatenate([(ours == theirs).ravel() for ours, theirs in pairs]))))
        for name, (y, c) in found.items():
            said[name].append(classifier.run({"y": y, "c": c}).argmax(axis=1))
    labels = {name: np.concatenate(each) for name, each in said.items()}
    shares = {name: float(np.mean(each == pictures.labels)) for name, each in labels.items()}
    return {
        **{f"accuracy_{name}": share for name, share in shares.items()},
        "resized_points_over_sensor": 100 * (shares["resized"] - shares["sensor"]),
        "resized_points_over_original": 100 * (shares["resized"] - shares["original"]),
        "label_agreement": float(np.mean(labels["resized"] == labels["sensor"])),
        "level_agreement": float(np.mean(levels_agree)),
    }


def ways_of(entry: zoo.Entry) -> dict[str, Callable[[Pixels, list[bytes]], Levels]]:
    """From pictures, and their enlarged files, to the levels that the classifier reads."""
    encoder, transcoder = entry.content.encoding.encoder(), transcoder_of(entry)

    def quantised(pixels: Pixels) -> Levels:
        y, c = encoder.quantise_batch(pixels)
        assert c is not None
        return y, c

    def resized(files: list[bytes]) -> Levels:
        y, c = zip(*map(transcoder.levels, files), strict=True)
        return np.stack(y), np.stack(c)

    return {
        "resized": lambda _, files: resized(files),
        "sensor": lambda _, files: quantised(np.stack([by_pillow(file) for file in files])),
        "original": lambda pixels, _: quantised(np.ascontiguousarray(pixels)),
    }


def transcoder_of(entry: zoo.Entry) -> Transcoder:
    """The codec's way to the entry's size, tables and settings."""
    encoding = entry.content.encoding
    return Transcoder(encoding.tables, resize=RESIZE, quantisation=encoding.settings.quantisation())


def file_of(pixels: Pixels) -> bytes:
    """The enlarged picture as a camera of 640 x 480 would post it."""
    out = io.BytesIO()
    Image.fromarray(enlarged(pixels)).save(out, "jpeg", quality=QUALITY, subsampling="4:2:0")
    return out.getvalue()


def enlarged(pixels: Pixels) -> Pixels:
    """The picture as a camera of 640 x 480 would see it."""
    square = Image.fromarray(pixels).resize((HEIGHT, HEIGHT), Image.Resampling.BICUBIC)
    beside = (WIDTH - HEIGHT) // 2
    return np.pad(np.asarray(square), ((0, 0), (beside, beside), (0, 0)), mode="reflect")


def by_pillow(file: bytes, *, draft: bool = False) -> Pixels:
    """What a sensor makes of the file, uint8 (32, 32, 3)."""
    image = Image.open(io.BytesIO(file))
    if draft:
        image.draft("RGB", (2 * RESIZE.width, 2 * RESIZE.height))
    return fitted(np.asarray(image.convert("RGB")), Sampling.YUV420, (RESIZE.width, RESIZE.height), RESIZE.fit)


def batches(pixels: Pixels) -> Iterator[Pixels]:
    """All pictures, some at a time."""
    starts = range(0, len(pixels), BATCH)
    for start in track(starts, "pictures", console=Console(stderr=True)):
        yield pixels[start : start + BATCH]


def times(entry: zoo.Entry, pictures: Split) -> dict[str, float]:
    """Least microseconds a file, and how many times faster than Pillow: the median over the rounds."""
    files = [file_of(pixels) for pixels in pictures.pixels[:TIMED_FILES]]
    encoder, transcoder = entry.content.encoding.encoder(), transcoder_of(entry)
    sides = {
        "codec": for_each(transcoder.transcode, files),
        "codec_levels": for_each(transcoder.levels, files),
        "decoding": for_each(Decoder().decode, files),
        "pillow": for_each(lambda file: encoder.encode(by_pillow(file)), files),
        "pillow_draft": for_each(lambda file: encoder.encode(by_pillow(file, draft=True)), files),
    }
    rounds = measure(sides, len(files), SECONDS)
    faster = {f"codec_vs_{name}": rounds.times_faster("codec", name) for name in ("pillow", "pillow_draft")}
    return {**{f"{name}_us": 1e6 * rounds.least(name) for name in sides}, **faster}


if __name__ == "__main__":
    sys.exit(main())
