"""A bundle for sizes that nothing was trained at: the serving net of that size with random weights, to be timed.

Its steps are the standard ones of an ordinary camera's quality, its Huffman codes fitted to the pictures it is for.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.imagenet_nets import multiplications, settle
from benchmarks.pixels import QUALITY
from benchmarks.serving_nets import SIZES
from shared.bundle import BUNDLE_NAME, Bundle, Expected, InputGeometry, Selftest, selftest_sha256
from shared.jpeg import Stream
from trainer.data import Split
from trainer.diff_jpeg import Planes
from trainer.encoding import streams
from trainer.encoding.encodings import dequantised, of_standard, steps_of
from trainer.export.bundle import Exportable, logits_of
from trainer.export.golden import GoldenPictures, golden
from trainer.export.model_folder import ModelFiles
from trainer.export.onnx_graph import to_onnx
from trainer.models import DctNet, DctNetConfig
from trainer.training.fitting import parameter_count

FAMILY = "untrained"
SEED = 0


def write_untrained(
    folder: Path,
    pixels: NDArray[np.uint8],
    *,
    counter: int = 1,
    quality: float = QUALITY,
    shape: DctNetConfig | None = None,
) -> dict[str, int]:
    """Write the bundle folder for pictures uint8 (n, side, side, 3); how large the net is, by what is counted.

    Args:
        quality: IJG's, of the steps.
        shape: the net's; None: the serving net's of that size.
    """
    side = pixels.shape[1]
    pictures = Split(pixels, np.zeros(len(pixels), np.int64))
    encoding = streams.with_fitted_huffman(of_standard(quality), pictures)
    steps = steps_of(encoding)
    coefficients = dequantised(streams.quantise(encoding, pictures).planes(slice(None)), steps)
    net = _net(SIZES[side] if shape is None else shape, coefficients)
    labels = tuple(str(number) for number in range(net.config.classes))
    content = Exportable(
        encoding=encoding, model=to_onnx(net, steps, side, side), labels=labels, height=side, width=side
    )
    _write(folder, content, counter, encoding.encoder().encode_batch(pixels, Stream.ABBREVIATED))
    return {"multiplications": multiplications(net, coefficients), "parameters": parameter_count(net)}


def _net(shape: DctNetConfig, coefficients: Planes) -> DctNet:
    spread = torch.stack([coefficients.y.std((0, 2, 3)), *coefficients.c.std((0, 2, 3)).chunk(2)])
    torch.manual_seed(SEED)
    net = DctNet(shape, 1 / spread.clamp(min=0.5))
    settle(net, coefficients)
    return net


def _write(folder: Path, content: Exportable, counter: int, frames: list[bytes]) -> None:
    """What the net says of frames counts as their labels: nobody taught it any."""
    logits = logits_of(content, frames)
    files = ModelFiles(
        content.model, content.labels, golden(GoldenPictures.GENERATED, frames, logits.argmax(1), logits)
    )
    sizes = [len(frame) for frame in frames]
    bundle = Bundle(
        family=FAMILY,
        counter=counter,
        min_counter=1,
        created_at=datetime.now(UTC),
        input=InputGeometry(width=content.width, height=content.height),
        tables=content.encoding.tables,
        settings=content.encoding.settings,
        classifier=files.ref,
        expected=Expected(
            bytes_p50=np.median(sizes),
            bytes_p95=np.percentile(sizes, 95),
            accuracy=0.0,
            n=len(frames),
            data="none: random weights",
        ),
        selftest=Selftest(seed=SEED, sha256=selftest_sha256(content.encoding, content.width, content.height, SEED)),
    )
    files.write(folder, BUNDLE_NAME, bundle.to_bytes())
