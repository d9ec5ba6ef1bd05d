"""Trainable tables: always integers the wire can carry, with LSQ's gradient."""

import torch

from shared.jpeg import TableSet
from tests.trainer.present import present
from trainer.diff_jpeg import Planes, QuantTables
from trainer.diff_jpeg.quantise import rounded


def _planes(seed: int = 0, n: int = 4) -> Planes:
    generator = torch.Generator().manual_seed(seed)
    y = 60 * torch.randn(n, 64, 4, 4, generator=generator)
    return Planes(y, 30 * torch.randn(n, 128, 2, 2, generator=generator))


def test_tables_of_a_table_set_come_back_unchanged() -> None:
    for quality in (1, 12.5, 50, 100):
        quant = TableSet.standard(quality).quant
        assert QuantTables.of(quant).quant() == quant


def test_steps_are_integers_from_1_to_255_wherever_training_has_driven_them() -> None:
    tables = QuantTables(torch.full((3, 64), 20.0))
    with torch.no_grad():
        tables.log_steps.add_(torch.linspace(-9, 9, 192).view(3, 64))
    tables.project()
    steps = tables.steps
    assert torch.equal(steps, steps.round())
    assert (steps.min().item(), steps.max().item()) == (1, 255)


def test_output_is_level_times_step() -> None:
    tables, planes = QuantTables(torch.full((3, 64), 7.0)), _planes()
    output = tables.dequantise(rounded(tables.scaled(planes)))
    assert torch.equal(output.y % 7, torch.zeros_like(output.y))
    assert (output.y - planes.y).abs().max() <= 3.5


def test_gradient_of_a_step_is_that_of_learned_step_sizes() -> None:
    tables, planes = QuantTables(torch.full((3, 64), 10.0)), _planes()
    weights = torch.randn(planes.y.shape, generator=torch.Generator().manual_seed(3))
    torch.autograd.backward((tables.dequantise(rounded(tables.scaled(planes))).y * weights).sum())
    ratio = planes.y / 10
    of_step = ((ratio.round() - ratio) * weights).sum((0, 2, 3))  # LSQ: round(x / s) - x / s
    of_log_step = of_step * 10
    assert torch.allclose(present(tables.log_steps.grad)[0], of_log_step, rtol=1e-4, atol=1e-3)
    assert torch.equal(present(tables.log_steps.grad)[1:], torch.zeros(2, 64))


def test_each_component_of_the_chroma_plane_has_its_own_table() -> None:
    steps = torch.stack([torch.full((64,), 2.0), torch.full((64,), 3.0), torch.full((64,), 5.0)])
    scaled = QuantTables(steps).scaled(Planes(torch.full((1, 64, 2, 2), 30.0), torch.full((1, 128, 1, 1), 30.0)))
    assert torch.allclose(scaled.y, torch.full((1, 64, 2, 2), 15.0))
    assert torch.allclose(scaled.c.flatten(), torch.tensor([10.0] * 64 + [6.0] * 64))
