"""The paper's kernels: values, gradients by closed form and finite differences, q = 0, and parity with the codec."""

import numpy as np
import pytest
import torch

from shared.jpeg import Encoder, Quantisation, TableSet
from tests.trainer.present import present
from trainer.data import SplitName, synthetic
from trainer.diff_jpeg import Planes, ReciprocalKernels, coefficients, hinge_l1_penalty, l2_penalty
from trainer.diff_jpeg.kernels import ALIVE
from trainer.diff_jpeg.quantise import rounded

LUMA_TOLERANCE, CHROMA_TOLERANCE = 1.6, 2.2  # in coefficient units; test_transform.py says why


def _planes(seed: int = 0, n: int = 4) -> Planes:
    generator = torch.Generator().manual_seed(seed)
    y = 60 * torch.randn(n, 64, 4, 4, generator=generator)
    return Planes(y, 30 * torch.randn(n, 128, 2, 2, generator=generator))


def _kernels(**entries: float) -> ReciprocalKernels:
    """All 0.1, but for entries `y3=...`: component and frequency."""
    q = torch.full((3, 64), 0.1)
    for name, value in entries.items():
        q["yur".index(name[0]), int(name[1:])] = value
    return ReciprocalKernels(q)


def test_there_are_192_of_them_and_all_start_at_1() -> None:
    kernels = ReciprocalKernels.ones()
    assert kernels.q.numel() == 192
    assert (kernels.q == 1).all()
    assert kernels.dead == 0


def test_they_may_start_from_a_table_set() -> None:
    quant = TableSet.standard(12.5).quant
    tables = ReciprocalKernels.of(quant).compliant()
    assert tables.steps.tolist() == [list(table) for table in quant]
    assert not tables.dropped.any()


def test_level_is_the_rounded_product_and_output_a_multiple_of_the_real_step() -> None:
    kernels, planes = _kernels(y0=1 / 7.3, u5=1 / 3.7), _planes()
    levels, output = rounded(kernels.scaled(planes)), kernels(planes)
    assert torch.equal(levels.y[:, 0], (planes.y[:, 0] / 7.3).round())
    assert torch.allclose(output.y[:, 0], 7.3 * levels.y[:, 0])
    assert torch.allclose(output.c[:, 5], 3.7 * (planes.c[:, 5] / 3.7).round())
    assert (output.y[:, 0] - planes.y[:, 0]).abs().max() <= 7.3 / 2 + 1e-4


def test_the_sign_of_a_kernel_means_nothing() -> None:
    planes = _planes()
    plus, minus = _kernels()(planes), ReciprocalKernels(torch.full((3, 64), -0.1))(planes)
    assert torch.equal(plus.y, minus.y)
    assert torch.equal(plus.c, minus.c)


@pytest.mark.parametrize("sign", [1, -1])
def test_gradient_of_a_kernel_is_the_closed_form(sign: int) -> None:
    """With d round(x) = dx, d/dq of round(F |q|) / |q| is (F |q| - level) / q^2 with the sign of q."""
    kernels, planes = ReciprocalKernels(torch.full((3, 64), sign * 0.13)), _planes()
    weights = torch.randn(planes.y.shape, generator=torch.Generator().manual_seed(3))
    torch.autograd.backward((kernels(planes).y * weights).sum())
    scaled = 0.13 * planes.y
    expected = sign * ((scaled - scaled.round()) / 0.13**2 * weights).sum((0, 2, 3))
    assert torch.allclose(present(kernels.q.grad)[0], expected, rtol=1e-4, atol=1e-2)
    assert torch.equal(present(kernels.q.grad)[1:], torch.zeros(2, 64))


def test_gradient_of_dequantisation_alone_agrees_with_finite_differences() -> None:
    kernels, levels = _kernels(), Planes(_planes().y.round(), _planes().c.round())
    weights = torch.randn(levels.c.shape, generator=torch.Generator().manual_seed(4))

    @torch.no_grad()
    def output(q: float) -> float:
        return float((_kernels(r9=q).dequantise(levels).c * weights)[:, 64 + 9].sum())

    torch.autograd.backward((kernels.dequantise(levels).c * weights).sum())
    assert float(present(kernels.q.grad)[2, 9]) == pytest.approx((output(0.1001) - output(0.0999)) / 0.0002, rel=1e-2)


@pytest.mark.parametrize("q", [0.0, -0.0, 1e-38, ALIVE / 2, -ALIVE / 2])
def test_a_dead_kernel_gives_zeros_and_no_gradient_but_never_a_number_that_is_none(q: float) -> None:
    kernels, planes = _kernels(y3=q, r60=q), _planes()
    planes = Planes(planes.y * 20, planes.c * 20)
    output = kernels(planes)
    torch.autograd.backward(output.y.square().sum() + output.c.square().sum())
    assert (output.y[:, 3] == 0).all()
    assert (output.c[:, 64 + 60] == 0).all()
    assert torch.isfinite(output.y).all()
    assert torch.isfinite(output.c).all()
    assert torch.isfinite(present(kernels.q.grad)).all()
    assert present(kernels.q.grad)[0, 3] == present(kernels.q.grad)[2, 60] == 0
    assert present(kernels.q.grad)[0, 4] != 0
    assert kernels.dead == 2


def test_dead_means_that_no_picture_reaches_level_1() -> None:
    extreme = Planes(torch.full((1, 64, 2, 2), -1024.0), torch.full((1, 128, 1, 1), 1024.0))
    alive, dead = ReciprocalKernels(torch.full((3, 64), ALIVE)), ReciprocalKernels(torch.full((3, 64), 0.999 * ALIVE))
    assert (rounded(alive.scaled(extreme)).y == -1).all()
    assert (rounded(dead.scaled(extreme)).y == 0).all()
    assert (alive.dead, dead.dead) == (0, 192)


def test_compliant_tables_are_integers_1_to_255_and_dead_entries_are_left_out() -> None:
    kernels = _kernels(y0=3.0, y1=1 / 2.4, y2=-1 / 2.6, u3=1 / 300, r4=0.0)
    tables = kernels.compliant()
    assert tables.steps[0, :4].tolist() == [1, 2, 3, 10]
    assert tables.steps[1, 3] == 255  # what the wire has that comes nearest; not left out
    assert tables.steps[2, 4] == 255
    assert tables.dropped.nonzero().tolist() == [[2, 4]]


@pytest.mark.parametrize("seed", [0, 1])
def test_compliant_tables_give_the_codecs_levels_coefficient_by_coefficient(seed: int) -> None:
    """Equal but where a coefficient lies within the transforms' tolerance of a rounding boundary."""
    generator = torch.Generator().manual_seed(seed)
    q = 0.3 * torch.rand(3, 64, generator=generator) - 0.1
    q[torch.rand(3, 64, generator=generator) < 0.2] = 0
    tables = ReciprocalKernels(q).compliant()
    pixels = synthetic.generate(SplitName.TEST, 128, size=32, seed=7).pixels
    table_set = TableSet.standard().with_quant(tables.steps.to(torch.uint8).numpy())
    y, c = Encoder(table_set, quantisation=Quantisation(mask=tables.dropped.numpy())).quantise_batch(pixels)
    kept = torch.where(tables.dropped, 0, 1 / tables.steps)
    exact = ReciprocalKernels(kept).scaled(coefficients(torch.from_numpy(pixels)))
    levels = rounded(exact)
    for ours, theirs, x, steps, dropped, tolerance in (
        (levels.y, y, exact.y, tables.steps[0], tables.dropped[0], LUMA_TOLERANCE),
        (levels.c, present(c), exact.c, tables.steps[1:].flatten(), tables.dropped[1:].flatten(), CHROMA_TOLERANCE),
    ):
        assert (ours[:, dropped] == 0).all()
        assert not theirs[:, dropped.numpy()].any()
        differs = ours != torch.from_numpy(theirs)
        from_boundary = ((x - x.floor() - 0.5).abs() * steps.view(-1, 1, 1))[differs]
        assert differs.float().mean() < 0.02
        assert not differs.any() or from_boundary.max() <= tolerance


def _penalties(q: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"hinge": hinge_l1_penalty(q, c=0.04, l1=0.7), "l2": l2_penalty(q)}


def test_penalties_have_the_papers_values() -> None:
    q = torch.zeros(3, 64, dtype=torch.float64)
    q[0, 0], q[1, 5], q[2, 63] = 0.5, -0.3, 0.1
    values = _penalties(q)
    assert float(values["hinge"]) == pytest.approx((0.25 - 0.04) + (0.09 - 0.04) + 0.7 * (0.5 + 0.3 + 0.1))
    assert float(values["l2"]) == pytest.approx(0.25 + 0.09 + 0.01)


@pytest.mark.parametrize("name", ["hinge", "l2"])
def test_gradients_of_penalties_agree_with_finite_differences_and_the_closed_form(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    q = torch.randn(3, 64, generator=generator, dtype=torch.float64).requires_grad_()
    torch.autograd.backward(_penalties(q)[name])
    closed = {"hinge": 2 * q * (q.square() > 0.04) + 0.7 * q.sign(), "l2": 2 * q}[name]
    assert torch.allclose(present(q.grad), closed)
    for entry in range(0, 192, 7):
        bump = torch.zeros(192, dtype=torch.float64)
        bump[entry] = 1e-6
        with torch.no_grad():
            ahead, behind = (_penalties(q + sign * bump.view(3, 64))[name] for sign in (1, -1))
        assert float(present(q.grad).flatten()[entry]) == pytest.approx(float(ahead - behind) / 2e-6, abs=1e-4)


def test_below_the_hinge_only_sparsity_pulls() -> None:
    q = torch.full((3, 64), 0.1).requires_grad_()
    torch.autograd.backward(hinge_l1_penalty(q, c=10.0, l1=1.0))
    assert torch.equal(present(q.grad), torch.ones(3, 64))


def test_penalties_pull_dead_kernels_no_further() -> None:
    q = torch.zeros(3, 64).requires_grad_()
    torch.autograd.backward(hinge_l1_penalty(q, c=0.01, l1=1.0) + l2_penalty(q))
    assert np.array_equal(present(q.grad).numpy(), np.zeros((3, 64)))
