"""Every kind of tables trains, from nothing and as a branch of a base; a branch learns from its teacher and resumes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from shared.jpeg import TableSet
from tests.trainer.training.runs import all_epochs, training_of
from trainer.data import Dataset, SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import steps_of
from trainer.encoding.files import EncoderSettings
from trainer.models import DctNet
from trainer.recipes.goals import AnyTablesGoal, ImprovedGoal, LearnedGoal, SensitivityGoal, StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute
from trainer.training.epochs import Epoch, Training
from trainer.training.improved import ImprovedMethod, Phase

GOALS = [StandardGoal(budget=110, rdo_multiplier=0.12), SensitivityGoal(budget=110), LearnedGoal(budget=110)]
RULES = {"rdo_multiplier": 0.06, "dead_zone": 0.1, "mask_share": 0.005}


def _recipe(branch: dict[str, Any] | None = None, **sections: dict[str, Any]) -> Recipe:
    keys = {
        "data": {"name": "synthetic"},
        "net": {"widths": [8, 8]},
        "optimiser": {"epochs": 3, "batch": 32, "learning_rate": 0.01, "muon_learning_rate": 0.02},
        "branch": {"epochs": 2, "learning_rate": 0.002, "muon_learning_rate": 0.004, **(branch or {})},
        "tables": {"refit_steps": 5, "rate_frames": 128, "learning_rate": 0.05},
    }
    return Recipe.model_validate(keys | sections)


Base = tuple[dict[str, torch.Tensor], list[Epoch]]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    sizes = {SplitName.TRAIN: 256, SplitName.VALIDATION: 128, SplitName.TEST: 16}
    splits = {name: synthetic.generate(name, count, size=32, seed=11) for name, count in sizes.items()}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


@pytest.fixture(scope="module")
def base(dataset: Dataset) -> Base:
    """A net for any tables, and how it came about."""
    training = training_of(_recipe(), dataset, AnyTablesGoal(), Compute())
    epochs = all_epochs(training)
    return training.method.net.state_dict(), epochs


def _branch(recipe: Recipe, dataset: Dataset, goal: ImprovedGoal, base: Base) -> Training[ImprovedMethod]:
    return training_of(recipe, dataset, goal, Compute(), start=base[0])


def _ends_alike(one: Training[ImprovedMethod], other: Training[ImprovedMethod]) -> bool:
    states = one.method.net.state_dict(), other.method.net.state_dict()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_net_for_any_tables_learns_and_is_measured_on_ordinary_jpeg(
    base: Base,
) -> None:
    _, epochs = base
    assert [epoch.phase for epoch in epochs] == [Phase.FIT] * 3
    assert epochs[-1].loss < epochs[0].loss
    assert len({epoch.scan_bytes for epoch in epochs}) == 1


@pytest.mark.parametrize(
    ("goal", "phases"),
    [
        (GOALS[0], [Phase.FIT] * 2),
        (GOALS[1], [Phase.SETTLE] * 2),
        (GOALS[2], [Phase.LEARN, Phase.SETTLE]),
    ],
    ids=["standard", "sensitivity", "learned"],
)
def test_a_branch_is_short_needs_no_warm_up_and_lands_on_its_budget(
    dataset: Dataset,
    base: Base,
    goal: LearnedGoal | SensitivityGoal | StandardGoal,
    phases: list[Phase],
) -> None:
    training = _branch(_recipe(), dataset, goal, base)
    epochs = all_epochs(training)
    encoding = training.method.finished_encoding()
    assert [epoch.phase for epoch in epochs] == phases
    assert streams.scan_bytes(encoding, dataset.validation.pixels).mean() == pytest.approx(110, rel=0.02)
    assert encoding.tables.huffman != TableSet.standard().huffman
    assert max(epoch.learning_rate for epoch in epochs) <= 0.002


def test_sensitivities_tables_come_with_the_warm_net_and_stay(dataset: Dataset) -> None:
    training, steps = training_of(_recipe(), dataset, SensitivityGoal(budget=110), Compute()), []
    while not training.is_done:
        epoch = training.run_epoch()
        steps.append((epoch.phase, steps_of(training.method.encoding)))
    assert [phase for phase, _ in steps] == [Phase.WARM_UP, Phase.SETTLE, Phase.SETTLE]
    warm, first, last = (of for _, of in steps)
    assert torch.equal(warm, torch.tensor([list(table) for table in TableSet.standard(75).quant], dtype=torch.float32))
    assert not torch.equal(warm, first)
    assert torch.equal(first, last)


def test_a_branch_begins_with_its_bases_net(dataset: Dataset, base: Base) -> None:
    state = _branch(_recipe(), dataset, LearnedGoal(budget=110), base).method.net.state_dict()
    assert state.keys() == base[0].keys()
    assert all(torch.equal(value, base[0][name]) for name, value in state.items())


def _nets_asked(training: Training[ImprovedMethod]) -> int:
    """How many nets gave logits in the run."""
    asked = set()

    def note(module: nn.Module, *_: Any) -> None:
        if isinstance(module, DctNet):
            asked.add(id(module))

    with register_module_forward_hook(note):
        all_epochs(training)
    return len(asked)


def test_the_base_teaches_its_branch_unless_the_recipe_says_no(dataset: Dataset, base: Base) -> None:
    goal = StandardGoal(quality=10)
    before = {name: value.clone() for name, value in base[0].items()}
    taught, untaught = (_branch(_recipe({"distillation_weight": weight}), dataset, goal, base) for weight in (0.5, 0.0))
    assert (_nets_asked(taught), _nets_asked(untaught)) == (2, 1)
    assert not _ends_alike(taught, untaught)
    assert all(torch.equal(value, base[0][name]) for name, value in before.items())


def test_a_run_from_nothing_has_no_teacher(dataset: Dataset) -> None:
    assert _nets_asked(training_of(_recipe(), dataset, StandardGoal(quality=10), Compute())) == 1


@pytest.mark.parametrize(
    ("goal", "stop", "rules"),
    [(LearnedGoal(budget=110), (0, 6), RULES), (LearnedGoal(budget=110), (1, 3), RULES), (AnyTablesGoal(), (1, 5), {})],
    ids=["learning", "settling", "any"],
)
def test_a_branch_stopped_inside_an_epoch_ends_like_one_that_was_not(
    dataset: Dataset,
    base: Base,
    goal: AnyTablesGoal | LearnedGoal,
    stop: tuple[int, ...],
    rules: dict[str, Any],
    tmp_path: Path,
) -> None:
    recipe, file = _recipe(encoder=rules), tmp_path / "state.pt"
    whole, epoch_at, step_at = _branch(recipe, dataset, goal, base), *stop

    def keep(done: int, _total: int) -> None:
        if (whole.next_epoch, done) == (epoch_at, step_at):
            torch.save(whole.state(), file)

    rows = [whole.run_epoch(keep) for _ in range(whole.method.epochs)]
    resumed = _branch(recipe, dataset, goal, base)
    resumed.restore(torch.load(file, weights_only=True))
    rest = all_epochs(resumed)
    assert [replace(row, seconds=0) for row in rest] == [replace(row, seconds=0) for row in rows[epoch_at:]]
    assert resumed.method.finished_encoding() == whole.method.finished_encoding()
    assert (resumed.method.finished_encoding().settings != EncoderSettings()) is bool(rules)
    assert _ends_alike(whole, resumed)
