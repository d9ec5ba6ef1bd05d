"""The two methods behind one door: what trains for a recipe, and how a finished run is measured."""

from pathlib import Path

from trainer.data import Dataset, SplitName
from trainer.errors import RecipeError
from trainer.evaluation.evaluation import Evaluated, Evaluation
from trainer.evaluation.files import write_evaluation
from trainer.export import bundle as exporting
from trainer.export import fallback
from trainer.export.fallback import FallbackEvaluation
from trainer.paper import evaluation as paper_evaluation
from trainer.paper.training import PaperTraining
from trainer.recipes.goals import AnyTablesGoal, Goal, ImprovedGoal, PaperGoal
from trainer.recipes.recipe import PaperRecipe, Recipe
from trainer.training.compute import Compute
from trainer.training.improved import Training
from trainer.training.run_dir import Finished
from trainer.training.running import Trainable


def new_training(
    recipe: Recipe | PaperRecipe, dataset: Dataset, goal: Goal, compute: Compute, start: Finished | None
) -> Trainable:
    """A training at its beginning.

    Args:
        start: a finished run whose net to start from.

    Raises:
        RecipeError: recipe, data set and start do not fit together.
        BudgetError: no tables reach the goal's budget.
    """
    if isinstance(recipe, PaperRecipe):
        if start is not None:
            raise RecipeError("the paper's method starts from random weights, without --init")
        assert isinstance(goal, PaperGoal)
        return PaperTraining(recipe, dataset, goal, compute)
    if start is not None and (start.asked.recipe.net != recipe.net or start.asked.data != dataset.name):
        raise RecipeError("--init must be a run of the same net and data set")
    assert isinstance(goal, ImprovedGoal)
    return Training(recipe, dataset, goal, compute, start.net_state if start else None)


def evaluate_run(run: Finished, folder: Path, dataset: Dataset, split: SplitName) -> Evaluation | FallbackEvaluation:
    """Figures of a split, kept in the run's folder; a run of the paper's method also keeps its literal ones there."""
    if isinstance(run.asked.goal, AnyTablesGoal):
        figures = fallback.measure(fallback.exportable(run, dataset), dataset, split)
        fallback.write_evaluation(folder, figures)
        return figures
    evaluated = _evaluated(run, folder, dataset, split)
    write_evaluation(folder, evaluated)
    return evaluated.evaluation


def _evaluated(run: Finished, folder: Path, dataset: Dataset, split: SplitName) -> Evaluated:
    if not isinstance(run.asked.recipe, PaperRecipe):
        return exporting.measure(exporting.exportable(run, dataset), dataset, split, run.summary.tables)
    model = paper_evaluation.finished_model(run, dataset)
    paper_evaluation.write_literal(folder, paper_evaluation.measure_literal(run, model, dataset, split))
    return paper_evaluation.measure_compliant(run, model, dataset, split)
