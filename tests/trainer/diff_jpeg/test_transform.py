"""diff_jpeg's transforms agree with the codec, and invert.

Tolerance: the codec computes in integers. It rounds every converted sample and every downsampled chroma sample to whole
numbers, and its islow DCT to 1/8. One rounding moves a sample by at most 1/2; through the orthonormal DCT 64 of them
could move a coefficient by 4 if all conspired, which they do not: on 2048 pictures each of characters, noise and pure
primaries the largest difference seen was 1.4 (luma) and 2.0 (chroma, rounded twice), the root mean square 0.3.
So levels are equal except where a coefficient lies that close to a rounding boundary: 0.7 % of them at quality 50.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.jpeg import Encoder, TableSet
from tests.trainer.present import present
from trainer.data import SplitName, synthetic
from trainer.diff_jpeg import QuantTables, coefficients, reconstruct
from trainer.diff_jpeg.colour import to_rgb, to_ycbcr
from trainer.diff_jpeg.quantise import rounded
from trainer.diff_jpeg.transform import dct_basis

LUMA_TOLERANCE, CHROMA_TOLERANCE = 1.6, 2.2  # in coefficient units
PICTURES = ("characters", "noise", "primaries")


def _pictures(kind: str, size: int = 32) -> NDArray[np.uint8]:
    generator = np.random.default_rng(7)
    if kind == "characters":
        return synthetic.generate(SplitName.TEST, 256, size=size, seed=7).pixels
    if kind == "noise":
        return generator.integers(0, 256, (256, size, size, 3), dtype=np.uint8)
    return (255 * generator.integers(0, 2, (256, size, size, 3))).astype(np.uint8)


@pytest.mark.parametrize("kind", PICTURES)
def test_coefficients_equal_the_codecs_within_the_tolerance(kind: str) -> None:
    pixels = _pictures(kind)
    planes = coefficients(torch.from_numpy(pixels))
    y, c = Encoder(TableSet.standard(100)).quantise_batch(pixels)  # all steps 1: levels are rounded coefficients
    assert (planes.y - torch.from_numpy(y)).abs().max() <= LUMA_TOLERANCE + 0.5
    assert (planes.c - torch.from_numpy(c)).abs().max() <= CHROMA_TOLERANCE + 0.5


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize(("quality", "share"), [(10, 0.002), (50, 0.01), (75, 0.02), (90, 0.05)])
def test_levels_equal_the_codecs_except_at_rounding_boundaries(kind: str, quality: int, share: float) -> None:
    pixels, table_set = _pictures(kind), TableSet.standard(quality)
    tables = QuantTables.of(table_set.quant)
    scaled = tables.scaled(coefficients(torch.from_numpy(pixels)))
    levels = rounded(scaled)
    y, c = Encoder(table_set).quantise_batch(pixels)
    steps = tables.steps.detach()
    for ours, theirs, exact, step, tolerance in (
        (levels.y, y, scaled.y, steps[0].view(-1, 1, 1), LUMA_TOLERANCE),
        (levels.c, c, scaled.c, steps[1:].reshape(-1, 1, 1), CHROMA_TOLERANCE),
    ):
        differs = ours != torch.from_numpy(theirs)
        from_boundary = ((exact - exact.floor() - 0.5).abs() * step)[differs]
        assert differs.float().mean() < share
        assert not differs.any() or from_boundary.max() <= tolerance


def test_frequencies_and_components_have_the_codecs_order() -> None:
    pixels = _pictures("characters", size=64)
    y, c = Encoder(TableSet.standard(100)).quantise_batch(pixels)
    planes = coefficients(torch.from_numpy(pixels))
    for ours, theirs in ((planes.y, y), (planes.c, present(c))):
        assert ours.shape == theirs.shape
        correlation = np.corrcoef(ours.numpy()[:, 1::9].ravel(), theirs[:, 1::9].ravel())[0, 1]
        assert correlation > 0.98


def test_the_basis_is_orthonormal_and_its_first_row_is_eight_times_the_mean() -> None:
    basis = dct_basis().double()
    assert torch.allclose(basis @ basis.T, torch.eye(64, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(basis[0], torch.full((64,), 1 / 8, dtype=torch.float64), atol=1e-7)


def test_colour_conversion_has_the_standards_values_and_inverts() -> None:
    red = torch.tensor([255.0, 0, 0]).view(1, 3, 1, 1)
    assert torch.allclose(to_ycbcr(red).flatten(), torch.tensor([76.245, -43.028, 127.5]), atol=1e-3)
    rgb = 255 * torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(to_rgb(to_ycbcr(rgb)), rgb, atol=1e-3)


def test_unquantised_coefficients_reconstruct_luma_exactly_and_chroma_bilinearly() -> None:
    pixels = torch.from_numpy(_pictures("characters")[:8])
    ycbcr = to_ycbcr(pixels.permute(0, 3, 1, 2).float())
    rebuilt = reconstruct(coefficients(pixels))
    coarse = torch.nn.functional.avg_pool2d(ycbcr[:, 1:], 2)
    bilinear = torch.nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(rebuilt[:, :1], ycbcr[:, :1], atol=1e-2)
    assert torch.allclose(rebuilt[:, 1:], bilinear, atol=1e-2)


def test_gradients_flow_from_reconstruction_to_pixels_as_finite_differences_say() -> None:
    pixels = torch.from_numpy(_pictures("noise")[:1, :16, :16]).double().float().requires_grad_()
    weights = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    torch.autograd.backward((reconstruct(coefficients(pixels)) * weights).sum())
    bump = torch.zeros_like(pixels)
    bump[0, 5, 9, 1] = 8.0
    with torch.no_grad():
        ahead, behind = ((reconstruct(coefficients(pixels + sign * bump)) * weights).sum() for sign in (1, -1))
    assert float(present(pixels.grad)[0, 5, 9, 1]) == pytest.approx(float(ahead - behind) / 16, abs=1e-3)
