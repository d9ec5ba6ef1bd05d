"""Deconvolution-RFA: the published architecture's shapes and parameters, and separate ways for Cb and Cr."""

import torch
from torch.nn import functional

from trainer.diff_jpeg import Planes
from trainer.models.deconvolution_rfa import Bottleneck, DeconvolutionRfa, DeconvolutionRfaConfig


def _net(width: int = 4) -> DeconvolutionRfa:
    torch.manual_seed(0)
    return DeconvolutionRfa(DeconvolutionRfaConfig(7, width))


def _planes(n: int = 2) -> Planes:
    generator = torch.Generator().manual_seed(1)
    return Planes(torch.randn(n, 64, 28, 28, generator=generator), torch.randn(n, 128, 14, 14, generator=generator))


def _block(inputs: int, inner: int, kernel: int, projects: bool) -> int:
    """Convolutions without bias, a batch norm behind each."""
    outputs = 4 * inner
    convolutions = inputs * inner + kernel**2 * inner**2 + inner * outputs
    norms = 2 * (inner + inner + outputs)
    return convolutions + norms + (inputs * outputs + 2 * outputs if projects else 0)


def test_parameters_are_those_of_the_published_figure() -> None:
    """Gueguen et al.: deconvolutions with 64 outputs and filter size 2; CB4(k=1) IB(k=2) IB before ResNet-50's CB3."""
    net = DeconvolutionRfa(DeconvolutionRfaConfig(1000))
    count = sum(parameter.numel() for parameter in net.parameters())
    deconvolutions, norm = 2 * (64 * 64 * 4 + 64), 2 * 192
    aware = _block(192, 256, 1, True) + _block(1024, 256, 2, False) + _block(1024, 256, 3, False)
    third = _block(1024, 128, 3, True) + 3 * _block(512, 128, 3, False)
    fourth = _block(512, 256, 3, True) + 5 * _block(1024, 256, 3, False)
    fifth = _block(1024, 512, 3, True) + 2 * _block(2048, 512, 3, False)
    assert count == deconvolutions + norm + aware + third + fourth + fifth + 2048 * 1000 + 1000
    assert count == 28_341_736


def test_grids_shrink_late_and_kernels_grow_early() -> None:
    net, grids = _net(), []
    for block in net.body:
        block.register_forward_hook(lambda module, inputs, output: grids.append(output.shape[-1]))
    assert net(_planes()).shape == (2, 7)
    assert grids == [28] * 7 + [14] * 6 + [7] * 3
    kernels = [block.get_parameter("second.1.weight").shape[-1] for block in net.body if isinstance(block, Bottleneck)]
    assert kernels == [1, 2, 3] + [3] * 13


def test_cb_and_cr_reach_lumas_grid_by_transposed_convolutions_of_their_own() -> None:
    net, planes = _net().eval(), _planes()
    assert net.cb.weight.shape == net.cr.weight.shape == (64, 64, 2, 2)
    assert not torch.equal(net.cb.weight, net.cr.weight)
    cb, cr = planes.c.chunk(2, dim=1)
    assert net.cb(cb).shape == net.cr(cr).shape == planes.y.shape
    swapped = Planes(planes.y, torch.cat([cr, cb], dim=1))
    assert not torch.allclose(net(planes), net(swapped), atol=1e-4)


def test_gradients_reach_every_parameter() -> None:
    net = _net()
    torch.autograd.backward(functional.cross_entropy(net(_planes(4)), torch.arange(4) % 7))
    missed = [name for name, value in net.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    # Batch norm takes away whatever constant the transposed convolutions add.
    assert set(missed) <= {"cb.bias", "cr.bias"}
