"""Wide residual nets: the published parameter counts, what they see, and that every part learns."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from trainer.data import SplitName, synthetic
from trainer.diff_jpeg import coefficients
from trainer.models.wide_resnet import WideResNet, WideResNetConfig


def _net(**config: Any) -> WideResNet:
    torch.manual_seed(0)
    return WideResNet(WideResNetConfig(**{"classes": 7, "depth": 10, "width": 1, **config}))


def _counted(depth: int, width: int, classes: int) -> int:
    """From the paper's table 1 alone: convolutions without bias, two batch norms a block, one behind, one linear."""
    total, inputs = 3 * 16 * 9, 16
    for outputs in (16 * width, 32 * width, 64 * width):
        for _ in range((depth - 4) // 6):
            total += 9 * inputs * outputs + 9 * outputs * outputs + 2 * inputs + 2 * outputs
            total += inputs * outputs if inputs != outputs else 0
            inputs = outputs
    return total + 2 * inputs + inputs * classes + classes


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    [(40, 1, 0.6), (40, 4, 8.9), (16, 8, 11.0), (28, 10, 36.5)],
)
def test_parameters_are_as_many_as_zagoruyko_and_komodakis_publish(depth: int, width: int, millions: float) -> None:
    net = WideResNet(WideResNetConfig(10, depth, width))
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == _counted(depth, width, 10)
    assert round(count / 1e6, 1) == millions


def test_the_seed_papers_nets_have_their_sizes() -> None:
    cifar, tiny = WideResNet(WideResNetConfig(100)), WideResNet(WideResNetConfig(200, width=1))
    assert sum(parameter.numel() for parameter in cifar.parameters()) == 36_536_884
    assert sum(parameter.numel() for parameter in tiny.parameters()) == _counted(28, 1, 200)


@pytest.mark.parametrize("size", [32, 64])
def test_it_classifies_coefficients_of_every_size_on_a_grid_a_quarter_of_the_pictures(size: int) -> None:
    net, seen = _net(), []
    net.norm.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-2:]))
    pixels = torch.from_numpy(synthetic.generate(SplitName.TRAIN, 4, size=size, seed=3).pixels)
    assert net(coefficients(pixels)).shape == (4, 7)
    assert seen == [(size // 4, size // 4)]


def test_training_pictures_enter_with_mean_0_and_deviation_1() -> None:
    net, seen = _net(), []
    net.stem.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    planes = coefficients(torch.from_numpy(synthetic.generate(SplitName.TRAIN, 64, size=32, seed=3).pixels))
    net.normalise_by(planes)
    net(planes)
    assert torch.allclose(seen[0].mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(seen[0].std((0, 2, 3)), torch.ones(3), atol=1e-4)
    assert {"mean", "deviation"} < set(net.state_dict())


def test_gradients_reach_every_parameter() -> None:
    net = _net()
    planes = coefficients(torch.from_numpy(synthetic.generate(SplitName.TRAIN, 8, size=32, seed=3).pixels))
    net.normalise_by(planes)
    torch.autograd.backward(functional.cross_entropy(net(planes), torch.arange(8) % 7))
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_dropout_works_in_training_only_and_is_off_unless_asked_for() -> None:
    planes = coefficients(torch.from_numpy(synthetic.generate(SplitName.TRAIN, 4, size=32, seed=3).pixels))
    for dropout, is_random in ((0.0, False), (0.5, True)):
        net = _net(dropout=dropout)
        assert torch.equal(net(planes), net(planes)) is not is_random
        net.eval()
        assert torch.equal(net(planes), net(planes))
