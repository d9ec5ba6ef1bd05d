"""The optimiser step: the loss in closed form, averaged weights, shortened gradients, cycles, and going on."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from tests.trainer.present import present
from trainer.diff_jpeg import Planes
from trainer.errors import DivergedError
from trainer.models import DctNet, DctNetConfig
from trainer.recipes.recipe import Optimiser
from trainer.training.compute import Compute
from trainer.training.fitting import NetFitter, distillation, optimisers, weight_average
from trainer.training.muon import Muon

LABELS = torch.tensor([0, 2, 1, 2])
PLANES = Planes(torch.randn(4, 64, 2, 2, generator=torch.Generator().manual_seed(1)), torch.zeros(4, 128, 1, 1))

SMALL_PLANES = Planes(
    torch.randn(4, 64, 4, 4, generator=torch.Generator().manual_seed(1)),
    torch.randn(4, 128, 2, 2, generator=torch.Generator().manual_seed(2)),
)


class Linear(nn.Module):
    """Three logits of the luma's means."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.norm = nn.BatchNorm1d(64)
        self.head = nn.Linear(64, 3)

    def forward(self, planes: Planes) -> Tensor:
        logits: Tensor = self.head(self.norm(planes.y.mean((2, 3))))
        return logits


def _fitter(net: nn.Module, steps: int = 20, **settings: float) -> NetFitter:
    return NetFitter(net, Optimiser.model_validate({"epochs": 1, **settings}), steps, Compute())


def test_the_loss_is_cross_entropy_against_smoothed_labels() -> None:
    net = Linear().eval()
    log_probabilities = net(PLANES).log_softmax(1)
    smoothed = torch.full((4, 3), 0.3 / 3)
    smoothed[range(4), LABELS] += 0.7
    expected = -(smoothed * log_probabilities).sum(1).mean()
    assert _fitter(net, label_smoothing=0.3).task_loss(PLANES, LABELS).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_a_teacher_has_a_say_in_the_frames_that_it_teaches_alone() -> None:
    net, teacher = Linear().eval(), torch.randn(4, 3, generator=torch.Generator().manual_seed(3)) * 4
    fitter = _fitter(net, distillation_weight=0.3, distillation_temperature=4.0)
    all_taught, none_taught = (
        fitter.task_loss(PLANES, LABELS, teacher, torch.full((4,), is_taught)) for is_taught in (True, False)
    )
    assert all_taught.item() == pytest.approx(fitter.task_loss(PLANES, LABELS, teacher).item(), rel=1e-5)
    assert none_taught.item() == pytest.approx(fitter.task_loss(PLANES, LABELS).item(), rel=1e-5)
    some = fitter.task_loss(PLANES, LABELS, teacher, torch.tensor([True, True, False, False]))
    others = fitter.task_loss(PLANES, LABELS, teacher, torch.tensor([False, False, True, True]))
    assert (some + others).item() == pytest.approx((all_taught + none_taught).item(), rel=1e-5)
    assert some.item() != pytest.approx(others.item(), rel=1e-3)


def test_a_teacher_adds_its_divergence_weighted_and_at_its_temperature() -> None:
    net, teacher = Linear().eval(), torch.randn(4, 3, generator=torch.Generator().manual_seed(3)) * 4
    fitter = _fitter(net, distillation_weight=0.3, distillation_temperature=4.0)
    soft_teacher, soft_student = (teacher / 4).softmax(1), (net(PLANES) / 4).softmax(1)
    divergence = (soft_teacher * (soft_teacher.log() - soft_student.log())).sum(1).mean()
    expected = 0.7 * nn.functional.cross_entropy(net(PLANES), LABELS) + 0.3 * 16 * divergence
    assert fitter.task_loss(PLANES, LABELS, teacher).item() == pytest.approx(expected.item(), rel=1e-5)


def test_distillations_gradient_is_the_difference_of_soft_probabilities_times_the_temperature() -> None:
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(5, 7, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(distillation(logits, teacher, 3.0), logits)
    expected = 3 * ((logits / 3).softmax(1) - (teacher / 3).softmax(1)) / 5
    assert torch.allclose(gradient, expected, atol=1e-6)


def test_a_student_who_agrees_has_nothing_to_learn_from_the_teacher() -> None:
    logits = torch.randn(5, 7)
    assert distillation(logits, logits, 2.0).item() == pytest.approx(0, abs=1e-6)


def test_a_long_gradient_is_shortened_and_a_short_one_is_not() -> None:
    lengths = {}
    for limit in (0.0, 1e-3, 1e6):
        net = Linear()
        fitter = _fitter(net, gradient_norm=limit)
        fitter.step(fitter.task_loss(PLANES, LABELS))
        lengths[limit] = torch.cat([present(parameter.grad).flatten() for parameter in net.parameters()]).norm().item()
    assert lengths[1e-3] == pytest.approx(1e-3, rel=1e-3)
    assert lengths[0.0] == lengths[1e6] > 0.01


def test_the_average_follows_the_closed_form_statistics_included() -> None:
    net = Linear()
    average = weight_average(net, decay=0.25)
    weight, statistics = torch.zeros(3, 64), torch.zeros(64)
    for update in range(6):
        with torch.no_grad():
            net.head.weight.add_(1.0)
        net.train()(PLANES)
        average.update_parameters(net)
        keep = min(0.25, (1 + update) / (10 + update)) if update else 0.0
        weight = net.head.weight * (1 - keep) + weight * keep
        statistics = net.get_buffer("norm.running_mean") * (1 - keep) + statistics * keep
    assert torch.allclose(average.module.get_parameter("head.weight"), weight)
    assert torch.allclose(average.module.get_buffer("norm.running_mean"), statistics)
    counts = [each.get_buffer("norm.num_batches_tracked").item() for each in (average.module, net)]
    assert counts == [6, 6]


def test_the_averaged_net_is_the_one_to_export_where_that_is_asked_for() -> None:
    plain, averaged = Linear(), Linear()
    assert _fitter(plain).fitted is plain
    fitter = _fitter(averaged, average_decay=0.9)
    for _ in range(3):
        fitter.step(fitter.task_loss(PLANES, LABELS))
    assert fitter.fitted is not averaged
    assert not torch.equal(fitter.fitted.get_parameter("head.weight"), averaged.head.weight)


def test_the_learning_rate_climbs_and_falls_to_almost_nothing() -> None:
    fitter, rates = _fitter(Linear(), steps=10, learning_rate=0.01, warm_share=0.5), []
    for _ in range(10):
        rates.append(fitter.learning_rate)
        fitter.step(fitter.task_loss(PLANES, LABELS))
    assert rates.index(max(rates)) == 4
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] < rates[0] < 0.001


def _small_net() -> DctNet:
    """A net of at least 8 channels: with 4, PyTorch 2.13 corrupts memory on processors without AVX-512."""
    torch.manual_seed(4)
    return DctNet(DctNetConfig(classes=3, widths=(8, 16)), torch.ones(3, 64))


@pytest.mark.parametrize(("rate", "kinds"), [(0.0, [AdamW]), (0.02, [AdamW, Muon])])
def test_every_weight_is_in_exactly_one_optimiser_and_muon_has_the_convolutions_behind_the_stem(
    rate: float, kinds: list[type]
) -> None:
    net = _small_net()
    settings = Optimiser.model_validate({"epochs": 1, "muon_learning_rate": rate})
    chosen = optimisers(net, settings, Compute())
    names = {weight: name for name, weight in net.named_parameters()}
    held = [[names[weight] for group in one.param_groups for weight in group["params"]] for one in chosen]
    assert [type(one) for one in chosen] == kinds
    assert sorted(name for some in held for name in some) == sorted(names.values())
    for name in held[1] if rate else []:
        assert net.get_parameter(name).ndim == 4
        assert "stem" not in name


def test_without_convolutions_there_is_nothing_for_muon() -> None:
    settings = Optimiser.model_validate({"epochs": 1, "muon_learning_rate": 0.02})
    (only,) = optimisers(Linear(), settings, Compute())
    assert isinstance(only, AdamW)


def test_muons_learning_rate_has_a_cycle_of_its_own() -> None:
    steps = {}
    for rate in (0.01, 0.02):
        net = _small_net()
        fitter = _fitter(net, learning_rate=0.005, muon_learning_rate=rate, muon_weight_decay=0.0, weight_decay=0.0)
        mixing = {name for name, weight in net.named_parameters() if weight.ndim == 4 and "stem" not in name}
        before = {name: value.clone() for name, value in net.named_parameters()}
        fitter.step(fitter.task_loss(SMALL_PLANES, LABELS))
        steps[rate] = {name: value.detach() - before[name] for name, value in net.named_parameters()}
    for name, step in steps[0.01].items():
        factor = 2.0 if name in mixing else 1.0
        assert torch.allclose(steps[0.02][name], factor * step, rtol=0.01, atol=1e-6), name
    assert mixing


@pytest.mark.parametrize("settings", [{}, {"average_decay": 0.9}, {"muon_learning_rate": 0.02}], ids=str)
def test_a_fitter_goes_on_from_its_state(settings: dict[str, Any]) -> None:
    ends = []
    for stop in (None, 5):
        net = _small_net()
        fitter = _fitter(net, learning_rate=0.01, **settings)
        for step in range(8):
            if step == stop:
                net_state, state = net.state_dict(), fitter.state()
                net = _small_net()
                net.load_state_dict(net_state)
                fitter = _fitter(net, learning_rate=0.01, **settings)
                fitter.restore(state)
            fitter.step(fitter.task_loss(SMALL_PLANES, LABELS))
        ends.append([*net.state_dict().values(), *fitter.fitted.state_dict().values()])
    for whole, resumed in zip(*ends, strict=True):
        assert torch.equal(whole, resumed)


def test_a_loss_that_is_no_number_changes_nothing_and_says_how_to_go_on() -> None:
    net = Linear()
    fitter, before = _fitter(net), net.head.weight.clone()
    with pytest.raises(DivergedError, match="gradient_norm"):
        fitter.step(fitter.task_loss(PLANES, LABELS) * float("inf"))
    assert torch.equal(net.head.weight, before)
