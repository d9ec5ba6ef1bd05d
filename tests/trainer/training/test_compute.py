"""Several processes train as one: real Gloo processes, against a single one, and what happens when one is lost."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.ports import free_ports
from tests.trainer.present import present
from tests.trainer.training.runs import training_of
from trainer.data import Dataset, SplitName, synthetic
from trainer.diff_jpeg import Planes
from trainer.errors import LostProcessError, RecipeError
from trainer.recipes.goals import LearnedGoal
from trainer.recipes.recipe import Optimiser, Recipe
from trainer.training.batches import Batches
from trainer.training.compute import Compute
from trainer.training.fitting import NetFitter

WORLD = 2
GENEROUS, SHORT = timedelta(seconds=100), timedelta(seconds=2)
RECIPE = Recipe.model_validate(
    {
        "data": {"name": "synthetic"},
        "net": {"widths": [8, 12]},
        "optimiser": {"epochs": 3, "batch": 64, "learning_rate": 0.02, "average_decay": 0.9},
        "tables": {"refit_steps": 4, "rate_frames": 256, "learning_rate": 0.05},
    }
)


def _dataset() -> Dataset:
    sizes = {SplitName.TRAIN: 512, SplitName.VALIDATION: 256, SplitName.TEST: 1}
    splits = {name: synthetic.generate(name, count, size=32, seed=11) for name, count in sizes.items()}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


def _join(rank: int, port: int, deadline: timedelta) -> Compute:
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": WORLD, "LOCAL_WORLD_SIZE": WORLD, "MASTER_PORT": port}
    environment = {"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in names.items()}}
    return Compute.from_torchrun(environment, "cpu", deadline)


def _in_processes(work: Callable[[int, int, Path], None], folder: Path) -> None:
    """Run `work(rank, port, folder)` in real processes; one that is lost must not hang the others."""
    [port], spawn = free_ports(1), multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=work, args=(rank, port, folder)) for rank in range(WORLD)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=200)
        assert process.exitcode == 0


def _train(compute: Compute) -> dict[str, Any]:
    training = training_of(RECIPE, _dataset(), LearnedGoal(budget=90), compute)
    epochs = []
    while not training.is_done:
        epochs.append(training.run_epoch())
    state = training.state()
    state.pop("seconds")
    return {
        "state": state,
        "tables": training.method.finished_encoding().tables.to_stream(),
        "accuracy": [epoch.validation_accuracy for epoch in epochs],
        "loss": [epoch.loss for epoch in epochs],
        "price": epochs[1].price,
    }


class Linear(nn.Module):
    """Without batch normalisation one batch is the sum of its parts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.head = nn.Linear(64, 3)

    def forward(self, planes: Planes) -> torch.Tensor:
        logits: torch.Tensor = self.head(planes.y.mean((2, 3)))
        return logits


def _fit_linear(compute: Compute) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(1)
    y, labels = torch.randn(96, 64, 2, 2, generator=chance), torch.randint(3, (96,), generator=chance)
    net, seen, values = Linear(), [], []
    fitter = NetFitter(net, Optimiser(epochs=2), 12, compute)
    for epoch in range(2):
        for rows in map(compute.share, Batches(96, 16, seed=5).of(epoch)):
            seen.append(rows)
            loss = fitter.task_loss(Planes(y[rows], torch.zeros(len(rows), 128, 1, 1)), labels[rows])
            values.append(fitter.step(loss))
    return {"seen": torch.stack(seen), "loss": values, "weight": net.head.weight.detach()}


def _mean_gradient(compute: Compute) -> torch.Tensor:
    """Of gradients that are 1 in the first process and 2 in the second; Adam would not see a sum for a mean."""
    parameters = [nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4))]
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, compute.rank + 1.0)
    compute.average_gradients([*parameters, nn.Parameter(torch.zeros(5))])
    return torch.cat([present(parameter.grad).flatten() for parameter in parameters])


def _work(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    compute = _join(rank, port, GENEROUS)
    found = {
        "gradient": _mean_gradient(compute),
        "linear": _fit_linear(replace(compute, dtype=torch.float32)),
        "training": _train(compute),
    }
    during = _threads()
    compute.leave()
    torch.save({**found, "during": during, "after": _threads()}, folder / f"{rank}.pt")


def _threads() -> list[str]:
    """The names of this process's threads."""
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


def _hang(rank: int, port: int, folder: Path) -> None:
    compute = _join(rank, port, SHORT)
    if rank == 0:
        _note_loss(compute, folder / "hung")
        compute.leave()
    while not (folder / "hung").exists():  # here, but never at the step where the other one waits
        time.sleep(0.05)
    os._exit(0)


def _die(rank: int, port: int, folder: Path) -> None:
    compute = _join(rank, port, GENEROUS)
    if rank == 0:
        _note_loss(compute, folder / "died")
        compute.leave()
    os._exit(0)


def _note_loss(compute: Compute, path: Path) -> None:
    try:
        compute.mean(1.0)
    except LostProcessError as error:
        path.write_text(str(error))


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found in the end."""
    folder = tmp_path_factory.mktemp("ranks")
    _in_processes(_work, folder)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]


def _tensors(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    if isinstance(state, dict):
        return [tensor for key in sorted(state, key=str) for tensor in _tensors(state[key])]
    if isinstance(state, (list, tuple)):
        return [tensor for value in state for tensor in _tensors(value)]
    return [torch.tensor(state)] if isinstance(state, (int, float)) else []


def test_together_they_show_the_batches_that_one_process_would(ranks: list[dict[str, Any]]) -> None:
    alone = _fit_linear(Compute())
    together = torch.cat([rank["linear"]["seen"] for rank in ranks], dim=1)
    assert torch.equal(together, alone["seen"])
    assert ranks[0]["linear"]["seen"].shape == (12, 8)


def test_a_gradient_becomes_its_mean(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert torch.equal(rank["gradient"], torch.full((10,), 1.5))


def test_without_batch_normalisation_they_end_where_one_process_would(ranks: list[dict[str, Any]]) -> None:
    alone = _fit_linear(Compute())
    for rank in ranks:
        assert torch.allclose(rank["linear"]["weight"], alone["weight"], atol=1e-6)
        assert rank["linear"]["loss"] == pytest.approx(alone["loss"], rel=1e-6)


def test_nets_tables_lambda_and_rate_model_are_the_same_in_all_processes(ranks: list[dict[str, Any]]) -> None:
    first, second = (rank["training"] for rank in ranks)
    for one, other in zip(_tensors(first["state"]), _tensors(second["state"]), strict=True):
        assert torch.equal(one, other)
    assert {key: first[key] for key in ("tables", "accuracy", "loss", "price")} == {
        key: second[key] for key in ("tables", "accuracy", "loss", "price")
    }


def test_their_loss_is_that_of_one_process_within_what_batch_normalisation_of_half_a_batch_does(
    ranks: list[dict[str, Any]],
) -> None:
    alone = _train(Compute.local("cpu"))
    assert ranks[0]["training"]["loss"] == pytest.approx(alone["loss"], rel=0.02)


def test_who_left_has_none_of_the_groups_threads_which_could_abort_the_process_while_python_shuts_down(
    ranks: list[dict[str, Any]],
) -> None:
    for rank in ranks:
        assert any("gloo" in name for name in rank["during"])
        assert not any("gloo" in name for name in rank["after"])


@pytest.mark.parametrize(("work", "name"), [(_hang, "hung"), (_die, "died")])
def test_a_process_that_hangs_or_dies_ends_the_others_with_a_message(
    work: Callable[..., Any], name: str, tmp_path: Path
) -> None:
    _in_processes(work, tmp_path)
    assert "another process of this training was lost" in (tmp_path / name).read_text()


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    with pytest.raises(RecipeError, match="batch = 64 cannot be shared equally by 3 processes"):
        Compute(world=3).check_batch(64)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_refused_by_name(device: str) -> None:
    with pytest.raises(RecipeError, match=device):
        Compute.local(device)


def test_one_process_alone_changes_nothing() -> None:
    compute, parameter = Compute(), nn.Parameter(torch.ones(3))
    torch.autograd.backward(parameter.sum())
    compute.average_gradients([parameter])
    compute.broadcast([parameter])
    assert torch.equal(present(parameter.grad), torch.ones(3))
    assert (compute.mean(2.5), compute.sum(2)) == (2.5, 2)
    assert np.array_equal(compute.share(torch.arange(4)), np.arange(4))
