"""A recipe for a folder of pictures, from what its pictures are: pure rules, each measured on small folders.

How good a net becomes is decided by its steps more than by anything else: docs/training.md has the figures.
"""

import math
from dataclasses import asdict

from trainer.data.folder import FolderData
from trainer.data.picture_facts import PictureFacts
from trainer.errors import RecipeError
from trainer.models.sizes import SHAPES
from trainer.recipes.recipe import Branch, Ladder, Net, Optimiser, Recipe, Tables

STEPS = 1_500  # of the optimiser, that a run should have
FEW_STEPS = 1_000  # below which a person should be warned
EPOCHS_LEAST, EPOCHS_MOST = 12, 200
STEPS_PER_EPOCH = 16
BATCH_LEAST, BATCH_MOST = 8, 128
LEARNING_RATE = 0.01  # at BATCH_MOST; smaller batches take the square root of their share
LARGEST_SIDE_PX = 64  # without a budget: larger frames take a GPU
COARSEST = 0.7  # of what JPEG of quality 10 takes: about quality 5, below which ordinary JPEG hardly gets
PHASE_SHARE = 0.3  # of the epochs each: warm-up, and learning of tables; the rest is for settling


def recipe_for(facts: PictureFacts, path: str, budget: float | None) -> Recipe:
    """The recipe to begin with.

    Args:
        path: of the folder.
        budget: scan bytes a frame, where there is one.

    Raises:
        RecipeError: the budget is more than frames of these pictures hold without compression.
    """
    side = side_for(facts, budget)
    samples = side * side * 3 // 2  # 4:2:0, a byte each
    if budget is not None and budget > samples:
        raise RecipeError(
            f"--budget: {budget:g} scan bytes a frame is outside what tables can reach: the largest frames that these "
            f"pictures fill, {side} x {side} pixels, have {samples} bytes without any compression"
        )
    shape = SHAPES[side](facts.classes)
    batch = batch_for(facts.train)
    epochs = epochs_for(facts.train, batch)
    phase = max(1, round(PHASE_SHARE * epochs))
    return Recipe(
        data=FolderData(
            name="folder",
            path=path,
            size=side,
            crops=side > LARGEST_SIDE_PX,
            pad=0 if side > LARGEST_SIDE_PX else side // 8,
        ),
        net=Net.model_validate({**asdict(shape), "widths": [*shape.widths]}, extra="ignore"),
        optimiser=Optimiser(
            epochs=epochs,
            batch=batch,
            learning_rate=round(LEARNING_RATE * math.sqrt(batch / BATCH_MOST), 5),
            weight_decay=0.3,
            label_smoothing=0.1,
        ),
        branch=Branch(epochs=max(4, phase)),
        tables=Tables(
            warm_up_epochs=phase,
            learning_epochs=min(phase, max(4, phase) - 1),
            learning_rate=0.1,
            refit_steps=32,
        ),
        ladder=Ladder() if budget is None else _ladder(budget, facts.coarse_bytes[side]),
    )


def side_for(facts: PictureFacts, budget: float | None) -> int:
    """The largest frame that pictures fill and that the budget buys at JPEG's quality 10, or else the smallest."""
    sides = sorted(SHAPES)
    fitting = [
        side
        for side in sides
        if side <= facts.side_px and (side <= LARGEST_SIDE_PX if budget is None else facts.coarse_bytes[side] <= budget)
    ]
    return max(fitting, default=sides[0])


def batch_for(train: int) -> int:
    """A power of two that leaves an epoch some steps."""
    wanted = max(1, train // STEPS_PER_EPOCH)
    return min(max(1 << (wanted.bit_length() - 1), BATCH_LEAST), BATCH_MOST)


def epochs_for(train: int, batch: int) -> int:
    """As many epochs as the steps take, within reason."""
    return min(max(math.ceil(STEPS / steps_per_epoch(train, batch)), EPOCHS_LEAST), EPOCHS_MOST)


def steps_per_epoch(train: int, batch: int) -> int:
    """Whole batches."""
    return max(1, train // batch)


def _ladder(budget: float, coarse_bytes: float) -> Ladder:
    """Half, once and twice the budget, learned tables against ordinary JPEG; half of it only where JPEG gets there."""
    budgets = [*([budget / 2] if budget / 2 >= COARSEST * coarse_bytes else []), budget, 2 * budget]
    return Ladder(budgets={"jpeg": budgets, "improved": budgets})
