"""Muon: updates of known size and direction, whatever the gradient's scale, and a state that goes on where it was."""

from pathlib import Path

import pytest
import torch
from torch import nn

from trainer.training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(24, 64), (64, 24), (32, 32)])
def test_singular_values_become_about_one_and_singular_vectors_stay(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    matrix = 1e-6 * torch.randn(shape)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    made = torch.diagonal(left.T @ orthogonalised(matrix) @ right.T)
    seen = values / values.norm() > 0.01  # smaller ones are still on their way up
    assert ((made[seen] > 0.65) & (made[seen] < 1.25)).all()
    assert seen.sum() >= 0.9 * min(shape)


def _stepped(gradient: torch.Tensor) -> torch.Tensor:
    weight = nn.Parameter(torch.zeros_like(gradient))
    weight.grad = gradient
    Muon([weight], lr=0.1).step()
    return weight.detach()


def test_a_step_goes_against_the_gradient_as_far_as_the_learning_rate_says() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(16, 8, 3, 3)
    moved = _stepped(gradient)
    assert (moved * gradient).sum() < 0
    assert moved.flatten(1).norm(2) == pytest.approx(0.1 * 16**0.5, rel=0.2)


def test_the_scale_and_the_memory_format_of_the_gradient_do_not_matter() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(16, 8, 3, 3)
    assert torch.allclose(_stepped(gradient), _stepped(1000 * gradient), atol=1e-6)
    channels_last = gradient.to(memory_format=torch.channels_last)
    assert torch.allclose(_stepped(gradient), _stepped(channels_last), atol=1e-6)


def test_a_tall_matrix_moves_further() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(64, 16)
    tall, wide = _stepped(gradient), _stepped(gradient.T.contiguous())
    assert torch.allclose(tall, 2 * wide.T, atol=1e-6)


def test_weights_decay_by_the_rate_and_those_without_a_gradient_stay() -> None:
    weight, still = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    optimiser = Muon([weight, still], lr=0.1, weight_decay=0.5)
    weight.grad = torch.zeros(4, 4)
    optimiser.step()
    assert torch.allclose(weight, torch.full((4, 4), 0.95))
    assert torch.equal(still, torch.ones(4, 4))


def test_a_restored_optimiser_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    gradients = [torch.randn(8, 8) for _ in range(4)]
    weight = nn.Parameter(torch.zeros(8, 8))
    optimiser = Muon([weight], lr=0.1)
    _follow(optimiser, weight, gradients[:2])
    torch.save((weight, optimiser.state_dict()), tmp_path / "halfway.pt")
    _follow(optimiser, weight, gradients[2:])
    again, state = torch.load(tmp_path / "halfway.pt", weights_only=True)
    resumed = Muon([again], lr=0.1)
    resumed.load_state_dict(state)
    _follow(resumed, again, gradients[2:])
    assert torch.equal(weight, again)


def _follow(optimiser: Muon, weight: nn.Parameter, gradients: list[torch.Tensor]) -> None:
    for gradient in gradients:
        weight.grad = gradient
        optimiser.step()
