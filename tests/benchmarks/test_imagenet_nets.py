"""The published nets for 224 px are what was published, and their graphs compute what they do."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from benchmarks.imagenet_nets import SHRINK, mobilenet_v2, multiplications, resnet50, settle
from benchmarks.pixel_nets import PixelNet
from trainer.export.classifier import OnnxClassifier, check_parity
from trainer.training.fitting import parameter_count

Make = Callable[[], PixelNet]
NETS = {"MobileNetV2": (mobilenet_v2, 300e6, 3.5e6), "ResNet-50": (resnet50, 4.1e9, 25.6e6)}


@pytest.mark.parametrize(("make", "published_multiplications", "published_parameters"), NETS.values(), ids=NETS)
def test_size_and_work_are_as_published(
    make: Make, published_multiplications: float, published_parameters: float
) -> None:
    net = make().eval()
    assert multiplications(net, torch.zeros(1, 3, 224, 224)) == pytest.approx(published_multiplications, rel=0.01)
    assert parameter_count(net) == pytest.approx(published_parameters, rel=0.01)


@torch.no_grad()
@pytest.mark.parametrize("make", [mobilenet_v2, resnet50], ids=NETS)
def test_the_graph_computes_what_the_net_does(make: Make) -> None:
    net, pictures = settled(make)
    classifier = OnnxClassifier(net.to_onnx(64, 64, SHRINK))
    check_parity(net(pictures).numpy(), classifier.run({"pixels": pictures.numpy()}), 1e-3)


@torch.no_grad()
@pytest.mark.parametrize("make", [mobilenet_v2, resnet50], ids=NETS)
def test_a_settled_net_tells_pictures_apart(make: Make) -> None:
    net, pictures = settled(make)
    logits = net(pictures)
    assert torch.isfinite(logits).all()
    assert (logits[0] - logits[1]).abs().mean() > 0.01 * logits.std()


def settled(make: Make) -> tuple[PixelNet, torch.Tensor]:
    """An untrained net and four pictures of 64 px that it has seen."""
    torch.manual_seed(0)
    pictures = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (4, 3, 64, 64)).astype(np.float32))
    net = make()
    settle(net, pictures)
    return net, pictures
