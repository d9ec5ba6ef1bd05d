"""What making frames of a JPEG camera's coefficients, instead of its pixels, costs in accuracy and saves in time.

CIFAR-100's test pictures, which DCTWIRE_DATA names the folder of, are saved by Pillow in 4:2:0 at qualities 75, 90 and
95: at the bundle's own size, 32 x 32, and enlarged to 640 x 480 as in `benchmarks.resized`. Each becomes a frame of
the zoo's entry at 150 bytes in two ways: `transcode`, as `--transcode` does it, and `pixels`, as `--no-transcode` does
it. Both ways get the same files in one run; the classifier reads what decoding the frames gives, in float32.

`points` is transcode's accuracy less that of pixels, in percentage points, and `points_error` its standard error over
pairs; `disagree` the share of pictures that get another label; `bytes` the mean scan. n counts the pictures; a number
as argument takes fewer, and records nothing.

Time, in turns on one core, is the least processor time a file in microseconds, and how many times faster transcoding
is: from the file's bytes to the frame. As in a sensor, pixels are read only of a file whose bits are whole.
"""

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import record
from benchmarks.resized import ENTRY, PICTURES, RESIZE, batches, enlarged, test_pictures, transcoder_of
from benchmarks.rounds import for_each, measure
from shared.jpeg import Decoder, Sampling, inspect
from shared.pictures import Pixels, fitted, read_pixels
from trainer import zoo
from trainer.data import Split
from trainer.export.classifier import OnnxClassifier

QUALITIES: Final = (75, 90, 95)
SIZES: Final[Mapping[str, Callable[[Pixels], Pixels]]] = {"own": lambda pixels: pixels, "large": enlarged}
WAYS: Final = ("transcode", "pixels")
PARTS: Final = ("is_right", "labels")
TIMED_FILES: Final = 32
SECONDS: Final = 6.0
"""For each size and quality."""
# From a file to a frame.
Way = Callable[[bytes], bytes]


@dataclass
class Tally:
    """What became of the pictures of one size and quality, in one way."""

    is_right: list[NDArray[np.bool_]] = field(default_factory=list)
    labels: list[NDArray[np.intp]] = field(default_factory=list)
    scan_bytes: int = 0


def main() -> int:
    """Measure, record."""
    if "DCTWIRE_DATA" not in os.environ:
        print("DCTWIRE_DATA must name the folder with cifar-100-python", file=sys.stderr)
        return 1
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    entry = next(found for found in zoo.entries(Path(zoo.__file__).parent) if found.name == ENTRY)
    pictures = test_pictures()
    few = Split(pictures.pixels[:wanted], pictures.labels[:wanted])
    figures = accuracies(entry, few) | times(entry, pictures)
    if wanted == PICTURES:
        record.write("transcode", wanted, figures, ENTRY)
    else:
        print("\n".join(f"{name}: {figure:.4f}" for name, figure in figures.items()))
    return 0


def ways_of(entry: zoo.Entry) -> dict[str, Way]:
    """Both ways from a file to a frame."""
    encoder, transcoder = entry.content.encoding.encoder(), transcoder_of(entry)

    def by_pixels(file: bytes) -> bytes:
        pixels = read_pixels(file, "file")
        return encoder.encode(fitted(pixels, Sampling.YUV420, (RESIZE.width, RESIZE.height), RESIZE.fit))

    return {"transcode": transcoder.transcode, "pixels": by_pixels}


def file_of(pixels: Pixels, quality: int) -> bytes:
    """The picture as a camera would give it."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", quality=quality, subsampling="4:2:0")
    return out.getvalue()


def accuracies(entry: zoo.Entry, pictures: Split) -> dict[str, float]:
    """Accuracy, bytes and paired differences, for each size and quality."""
    ways, classifier, decoder = (
        ways_of(entry),
        OnnxClassifier(entry.content.model),
        Decoder(entry.content.encoding.tables),
    )
    tallies = {key: Tally() for key in product(SIZES, QUALITIES, WAYS)}
    done = 0
    for pixels in batches(pictures.pixels):
        true = pictures.labels[done : done + len(pixels)]
        done += len(pixels)
        for size, make in SIZES.items():
            shown = [make(each) for each in pixels]
            for quality in QUALITIES:
                files = [file_of(each, quality) for each in shown]
                for name, way in ways.items():
                    _count(tallies[size, quality, name], list(map(way, files)), true, decoder, classifier)
    return _figures(tallies)


def _count(
    tally: Tally, frames: list[bytes], true: NDArray[np.intp], decoder: Decoder, classifier: OnnxClassifier
) -> None:
    y = np.empty((len(frames), 64, RESIZE.height // 8, RESIZE.width // 8), np.int16)
    c = np.empty((len(frames), 128, RESIZE.height // 16, RESIZE.width // 16), np.int16)
    faults = decoder.decode_batch(frames, y, c)
    assert not any(faults), "our own frames decode"
    labels = classifier.run({"y": y, "c": c}).argmax(axis=1)
    tally.labels.append(labels)
    tally.is_right.append(labels == true)
    tally.scan_bytes += sum(inspect(frame).scan_bytes for frame in frames)


def _figures(tallies: Mapping[tuple[str, int, str], Tally]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for size, quality in product(SIZES, QUALITIES):
        right, labels = (
            {way: np.concatenate(getattr(tallies[size, quality, way], of)) for way in WAYS} for of in PARTS
        )
        paired = right["transcode"].astype(float) - right["pixels"]
        at = f"{size}_{quality}"
        for way in WAYS:
            figures[f"accuracy_{at}_{way}"] = float(right[way].mean())
            figures[f"bytes_{at}_{way}"] = tallies[size, quality, way].scan_bytes / len(paired)
        figures[f"points_{at}"] = 100 * float(paired.mean())
        figures[f"points_error_{at}"] = 100 * float(paired.std() / np.sqrt(len(paired)))
        figures[f"disagree_{at}"] = float(np.mean(labels["transcode"] != labels["pixels"]))
    return figures


def times(entry: zoo.Entry, pictures: Split) -> dict[str, float]:
    """Least microseconds a file in both ways, and how many times faster transcoding is: the median over the rounds."""
    ways, figures = ways_of(entry), {}
    for size, quality in product(SIZES, QUALITIES):
        files = [file_of(SIZES[size](pixels), quality) for pixels in pictures.pixels[:TIMED_FILES]]
        rounds = measure({name: for_each(way, files) for name, way in ways.items()}, len(files), SECONDS)
        for name in WAYS:
            figures[f"{name}_us_{size}_{quality}"] = 1e6 * rounds.least(name)
        figures[f"times_faster_{size}_{quality}"] = rounds.times_faster("transcode", "pixels")
    return figures


if __name__ == "__main__":
    sys.exit(main())
