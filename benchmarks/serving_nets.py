"""What a picture costs the server: serving nets on levels against nets on pixels, by ONNX Runtime on one thread, fp32.

For each size, in one run and in turns: `dct` reads levels; `rebuilding` has the same body and head, but its graph
rebuilds the pixels first (inverse DCT, bilinear chroma) and cuts them into cells; `pixels` is a net on ready pixels:
ResNet-20 at 32 and 64 px, and at 224 px the same body behind MobileNetV2's way to its grid. The nets are not trained:
time does not depend on the weights. Every graph is held to torch first. n counts the rounds of all sizes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks import record
from benchmarks.pixel_nets import PixelNet, Rebuilding, mobilenet_with, resnet20
from benchmarks.rounds import Rounds, measure, on_processor
from trainer.diff_jpeg import Planes
from trainer.encoding.encodings import dequantised
from trainer.export.classifier import OnnxClassifier, check_parity
from trainer.export.onnx_graph import to_onnx
from trainer.models import BodyKind, DctNet
from trainer.models.sizes import SHAPES
from trainer.training.fitting import parameter_count

SECONDS = 40.0  # a size
TOLERANCE = 1e-3
SIZES = {side: SHAPES[side](classes) for side, classes in ((32, 100), (64, 200), (224, 1000))}


@dataclass(frozen=True)
class Contender:
    """A net in ONNX Runtime, and one picture as it wants it."""

    classifier: OnnxClassifier
    picture: dict[str, NDArray[Any]]

    def work(self) -> Callable[[], object]:
        """Classify the picture."""
        return partial(self.classifier.run, self.picture)


def main() -> int:
    """Measure every size, record."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    n = 0
    for side, shape in SIZES.items():
        net = DctNet(shape, torch.full((3, 64), 0.02)).eval()
        figures[f"parameters_{side}px"] = parameter_count(net)
        sides = contenders(net, side)
        rounds = measure({name: on_processor(one.work()) for name, one in sides.items()}, 1, SECONDS)
        figures |= figures_of(rounds, side)
        n += rounds.count
    record.write("serving_nets", n, figures, f"ONNX Runtime {onnxruntime.__version__}, 1 thread")
    return 0


def contenders(net: DctNet, side: int) -> dict[str, Contender]:
    """The net and its rivals, each found to compute what it does in torch."""
    levels = Planes(
        torch.randint(-9, 10, (1, 64, side // 8, side // 8), dtype=torch.int16),
        torch.randint(-5, 6, (1, 128, side // 16, side // 16), dtype=torch.int16),
    )
    steps = torch.randint(1, 100, (3, 64)).float()
    frame = {"y": levels.y.numpy(), "c": levels.c.numpy()}
    pixels = torch.rand(1, 3, side, side)
    rebuilding = Rebuilding(net).eval()
    plain, shrink = pixel_net(net)
    coefficients = dequantised(levels, steps)
    return {
        "dct": _checked(to_onnx(net, steps, side, side), frame, net, coefficients),
        "rebuilding": _checked(rebuilding.to_onnx(steps, side, side), frame, rebuilding, coefficients),
        "pixels": _checked(plain.to_onnx(side, side, shrink), {"pixels": pixels.numpy()}, plain, pixels),
    }


def figures_of(rounds: Rounds, side: int) -> dict[str, float]:
    """Least milliseconds of each, and how many times faster the net on levels is than its rivals."""
    figures = {f"ms_{side}px_{name}": 1e3 * rounds.least(name) for name in rounds.seconds}
    rivals = [name for name in rounds.seconds if name != "dct"]
    figures |= {f"dct_vs_{rival}_{side}px": rounds.times_faster("dct", rival) for rival in rivals}
    return figures


def pixel_net(net: DctNet) -> tuple[PixelNet, int]:
    """A usual net on pixels, and what it divides their sides by."""
    if net.config.kind is BodyKind.INVERTED:
        return mobilenet_with(net).eval(), 8 * 2 ** (len(net.config.widths) - 1)
    return resnet20(net.config.classes).eval(), 4


@torch.no_grad()
def _checked(model: bytes, picture: dict[str, NDArray[Any]], net: torch.nn.Module, wanted: Any) -> Contender:
    classifier = OnnxClassifier(model)
    check_parity(net(wanted).numpy(), classifier.run(picture), TOLERANCE)
    return Contender(classifier, picture)


if __name__ == "__main__":
    sys.exit(main())
