"""Series of runs in processes of their own: one fails, and one is told to stop."""

from pathlib import Path

import pytest

from tests.trainer.machine import machine
from trainer.comparison.ladder import BASE
from trainer.errors import RecipeError, RunError
from trainer.jobs import EvaluateOrder
from trainer.series import LOG_NAME, LadderOrder, Steps, climb, run_steps


def _failing(folder: Path) -> Steps:
    """A job that fails at once, for want of a run."""
    return Steps(folder, (EvaluateOrder(source=folder / "run"),))


def test_one_that_fails_is_told_by_the_end_of_its_log_and_the_others_run_to_their_end(tmp_path: Path) -> None:
    bad, good, ended = tmp_path / "bad", tmp_path / "good", list[Path]()
    first, second = (EvaluateOrder(source=bad / name) for name in ("run", "second"))
    with pytest.raises(RunError) as caught:
        run_steps(
            [
                Steps(bad, (first, second)),
                Steps(
                    good,
                    (),
                ),
            ],
            1,
            machine(tmp_path),
            ended.append,
        )
    message = str(caught.value)
    assert message.startswith(f"evaluation of {bad / 'run'} (test), then evaluation of {bad / 'second'} (test) ended")
    assert f"with status 1; {bad / LOG_NAME} ends with:" in message
    assert f"error: {bad / 'run'} holds no finished run" in message
    assert ended == [good]
    assert "second" not in (bad / LOG_NAME).read_text()  # the job after the one that failed


def test_ctrl_c_lets_no_further_run_begin(tmp_path: Path) -> None:
    """The first ends at once, the second is at work by then, and the third has not begun."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))

    def interrupted(folder: Path) -> None:
        if folder == first:
            raise KeyboardInterrupt

    all_steps = [Steps(first, ()), _failing(second), Steps(third, ())]
    with pytest.raises(KeyboardInterrupt):
        run_steps(all_steps, 1, machine(tmp_path), interrupted)
    assert first.exists()
    assert not third.exists()


@pytest.mark.parametrize("recipe", ["synthetic-32", "cifar100-faithful"])
def test_a_recipe_without_budgets_is_refused_before_anything_is_written(tmp_path: Path, recipe: str) -> None:
    with pytest.raises(RecipeError, match=r"has no \[ladder\] with budgets to climb"):
        climb(LadderOrder(recipe=recipe, out=tmp_path / "ladder"), machine(tmp_path), lambda *_: None)
    assert not (tmp_path / "ladder" / BASE).exists()
