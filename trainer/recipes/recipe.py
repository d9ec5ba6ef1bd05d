"""Recipes: TOML files that say which data, net and schedule; checked to the last key before anything runs."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import reduce
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from trainer.data.catalogue import DataSection
from trainer.data.folder import FolderData
from trainer.errors import RecipeError
from trainer.models import BodyKind
from trainer.recipes.goals import Goal, LearnedGoal
from trainer.recipes.paper import Jpeg, PaperNet, Penalty, Schedule, Sweep
from trainer.section import Rate, Section, faults

_Keys = dict[str, Any]  # TOML, not checked yet

RECIPE_LIMIT_BYTES = 64 * 1024


class Net(Section):
    """A serving net, as `trainer.models.DctNetConfig`.

    Args:
        kind: `residual`, or MobileNet's `inverted-residual` for large frames.
        widths: channels of the stages; each after the first halves the grid.
        blocks: a stage.
        expansion: the body's cells along a side of a luma block: 1, 2 or 4.
    """

    kind: Annotated[BodyKind, Field(strict=False)] = BodyKind.RESIDUAL  # a text in the file
    widths: Annotated[list[Annotated[int, Field(ge=4, le=2048)]], Field(min_length=1, max_length=5)]
    blocks: Annotated[int, Field(ge=1, le=16)] = 1
    expansion: Literal[1, 2, 4] = 2


Epochs = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[float, Field(ge=0, le=1)]


class Optimiser(Section):
    """AdamW with a one-cycle learning rate, the same for every kind of tables.

    Args:
        epochs: how often every training picture is shown; what makes a net good is steps, epochs x pictures / batch.
        batch: pictures a step, however many processes share them.
        learning_rate: at the cycle's peak.
        weight_decay: AdamW's.
        muon_learning_rate, muon_weight_decay: Muon's, for the convolutions behind the stem; 0: AdamW for all weights.
        warm_share: share of all steps before the peak.
        label_smoothing: probability taken from the right label and spread over all.
        distillation_weight, distillation_temperature: of a teacher's loss, where there is a teacher.
        average_decay: of the running average of weights that is measured and exported; 0: the last weights are.
        gradient_norm: longer gradients of the net are shortened to it; 0: never.
        checkpoint_steps: also keep a checkpoint every so many steps inside an epoch; 0: only after epochs.
    """

    epochs: Epochs
    batch: Annotated[int, Field(ge=2, le=65_536)] = 128
    learning_rate: Rate = 0.02
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.05
    muon_learning_rate: Annotated[float, Field(ge=0, le=10)] = 0.0
    muon_weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.05
    warm_share: Share = 0.2
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    distillation_weight: Share = 0.5
    distillation_temperature: Annotated[float, Field(gt=0, le=100)] = 2.0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    gradient_norm: Annotated[float, Field(ge=0)] = 0.0
    checkpoint_steps: Annotated[int, Field(ge=0)] = 0


class Branch(Section):
    """What a run that starts from another's net does differently: it is short, and the other net teaches it.

    Args:
        epochs, learning_rate, muon_learning_rate, warm_share, distillation_weight: in place of [optimiser]'s.
    """

    epochs: Epochs = 4
    learning_rate: Rate = 0.002
    muon_learning_rate: Annotated[float, Field(ge=0, le=10)] = 0.0
    warm_share: Share = 0.2
    distillation_weight: Share = 0.5


class Tables(Section):
    """How learned tables come about.

    The net first warms up on ordinary JPEG (not where it starts from another run's), then tables and net learn
    together, then the net settles on the finished tables. All three phases count as epochs.

    Args:
        warm_up_quality: IJG quality of the ordinary JPEG that the net begins with.
        warm_up_epochs: of ordinary JPEG.
        learning_epochs: of tables and net together; what is left of all epochs is for settling.
        start: first tables: from `sensitivity` of the warm net, or `flat` ones.
        learning_rate: of log steps.
        refit_steps: how often the rate model is fitted to true Huffman bits.
        rate_frames: how many frames it is fitted to, and on how many held-out ones bytes are measured.
    """

    warm_up_quality: Annotated[float, Field(ge=1, le=100)] = 75
    warm_up_epochs: Annotated[int, Field(ge=0)] = 1
    learning_epochs: Annotated[int, Field(ge=1)] = 1
    start: Literal["sensitivity", "flat"] = "sensitivity"
    learning_rate: Rate = 0.02
    refit_steps: Annotated[int, Field(ge=1)] = 64
    rate_frames: Annotated[int, Field(ge=64)] = 2_048


class Rules(Section):
    """What encoders of learned tables do beside quantising; the net settles on frames made so.

    Args:
        rdo_multiplier: how many mean worths of a squared step a bit is worth in rate-distortion optimised
            quantisation; 0: none. A frequency's worth is the task's gradient energy there.
        dead_zone: how far below half a step rounding may be shifted, most where the task feels least; 0: nearest.
        mask_share: frequencies that fewer than this share of blocks would code are never coded.
    """

    rdo_multiplier: Annotated[float, Field(ge=0, le=10)] = 0.0
    dead_zone: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    mask_share: Share = 0.0


Bytes = Annotated[float, Field(gt=0, le=1e6)]


class Ablation(Section):
    """Learned tables or ordinary JPEG with one ingredient changed: a variant of the recipe, at one byte budget."""

    variant: str
    label: str
    budget: Bytes
    of: Literal["improved", "jpeg"] = "improved"


class Ladder(Section):
    """What `ladder` compares: kinds of tables at byte budgets, all branches of one base training.

    Args:
        budgets: scan bytes a frame, by kind (jpeg, jpeg-rdo, sensitivity, improved).
        rdo_multiplier: of ordinary JPEG with rate-distortion optimised quantisation, in squared steps a bit.
        again: the budget that ordinary JPEG and learned tables are trained at with a second seed.
        ablations: runs with one ingredient changed, {variant, label, budget, of}: a variant of this recipe, and whether
            it changes the learned tables' method (`improved`) or ordinary JPEG (`jpeg`).
    """

    budgets: dict[Literal["jpeg", "jpeg-rdo", "sensitivity", "improved"], list[Bytes]] = {}  # noqa: RUF012
    rdo_multiplier: Annotated[float, Field(gt=0, le=10)] = 0.12
    again: Bytes | None = None
    ablations: list[Ablation] = []  # noqa: RUF012 - pydantic copies defaults


class Recipe(Section):
    """Everything a training run needs besides its goal (which tables, which budget)."""

    method: Literal["improved"] = "improved"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    data: DataSection
    net: Net | None = None  # without it, the shape that suits the pictures' size
    optimiser: Optimiser
    branch: Branch | None = None
    tables: Tables = Tables()
    encoder: Rules = Rules()
    ladder: Ladder = Ladder()

    @property
    def branch_optimiser(self) -> Optimiser:
        """The [optimiser] section as it applies to a run that starts from another run's net."""
        return self.optimiser.model_copy(update=self.branch.model_dump() if self.branch else {})

    def of_run(self, goal: Goal, *, is_branch: bool) -> "Recipe":
        """The recipe with defaults in the sections that this run does not use, so that they cannot tell runs apart."""
        ignored: dict[str, Section | None] = {"ladder": Ladder()}
        ignored |= {} if is_branch else {"branch": None}
        ignored |= {} if isinstance(goal, LearnedGoal) else {"encoder": Rules()}
        return self.model_copy(update=ignored)

    @property
    def epochs(self) -> int:
        """How many epochs a run has that starts from nothing."""
        return self.optimiser.epochs

    @model_validator(mode="after")
    def _leaves_epochs_to_settle(self) -> Self:
        learning, warm_up = self.tables.learning_epochs, self.tables.warm_up_epochs
        if warm_up + learning >= self.optimiser.epochs:
            raise ValueError(
                f"optimiser.epochs = {self.optimiser.epochs} must exceed tables.warm_up_epochs + "
                f"tables.learning_epochs = {warm_up + learning}: the net must settle on the finished tables"
            )
        if self.branch and learning >= self.branch.epochs:
            raise ValueError(
                f"branch.epochs = {self.branch.epochs} must exceed tables.learning_epochs = {learning}: "
                f"the net must settle on the finished tables"
            )
        return self


class PaperRecipe(Section):
    """Everything a run of the paper's method needs besides its goal (which tables, which lambda); `docs/paper.md`."""

    method: Literal["paper"]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    data: DataSection
    net: PaperNet
    jpeg: Jpeg = Jpeg()
    penalty: Penalty
    schedule: Schedule
    sweep: Sweep

    @property
    def epochs(self) -> int:
        """How many epochs a run with learned tables has."""
        return self.schedule.epochs_in_all


AnyRecipe = Recipe | PaperRecipe


def load(name_or_path: str, variants: Sequence[str] = ()) -> AnyRecipe:
    """A recipe by path, or by the name of a shipped one (`synthetic-32`); a path in a file starts where the file is.

    Args:
        variants: names of its [variants.NAME] sections, whose keys replace those above, one after the other.

    Raises:
        RecipeError: it is missing, not TOML, has no such variant, or it or any of its variants asks for something
            unknown or out of range; names every fault.
    """
    plain, by_name = _read(name_or_path)
    for variant in variants:
        if variant not in by_name:
            known = ", ".join(by_name) or "none"
            raise RecipeError(f"{name_or_path} has no variant {variant!r}; it has: {known}")
    chosen = _checked(reduce(_overridden, (by_name[variant] for variant in variants), plain), name_or_path)
    for variant, changes in by_name.items():
        _checked(_overridden(plain, changes), f"variant {variant} of {name_or_path}")
    return _at_home(chosen, Path(name_or_path).parent) if _is_file(name_or_path) else chosen


def variants_of(name_or_path: str) -> Mapping[str, Mapping[str, Any]]:
    """A recipe's variants by name: the keys that each replaces."""
    return _read(name_or_path)[1]


def is_shipped(name: str) -> bool:
    """Whether a recipe of this name comes with dctwire."""
    return name in shipped_names()


def shipped_names() -> list[str]:
    """Names of the recipes that come with dctwire."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.suffix == ".toml")


def _read(name_or_path: str) -> tuple[_Keys, dict[str, _Keys]]:
    """Read a recipe's file: the keys above all variants, and the keys of each variant."""
    text = _text(Path(name_or_path) if _is_file(name_or_path) else _shipped(name_or_path))
    try:
        keys = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name_or_path} is not TOML: {error}") from error
    variants = keys.pop("variants", {})
    if not isinstance(variants, dict) or not all(isinstance(changes, dict) for changes in variants.values()):
        raise RecipeError(f"{name_or_path}: variants must be sections, [variants.NAME]")
    return keys, variants


def _is_file(name_or_path: str) -> bool:
    return Path(name_or_path).suffix == ".toml"


def _at_home(recipe: AnyRecipe, home: Path) -> AnyRecipe:
    """The recipe with the whole path of its own folder of pictures, so that a run finds them from anywhere."""
    if not isinstance(recipe.data, FolderData):
        return recipe
    path = os.path.abspath(home / Path(recipe.data.path).expanduser())  # noqa: PTH100 - links stay links
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"path": path})})


def _overridden(keys: _Keys, changes: _Keys) -> _Keys:
    """Lay a variant over the keys above it: sections key by key, everything else as a whole."""
    merged = dict(keys)
    for key, change in changes.items():
        old = merged.get(key)
        merged[key] = _overridden(old, change) if isinstance(old, dict) and isinstance(change, dict) else change
    return merged


def _checked(keys: _Keys, name: str) -> AnyRecipe:
    try:
        return (PaperRecipe if keys.get("method") == "paper" else Recipe).model_validate(keys)
    except ValidationError as error:
        raise RecipeError(f"{name} is no recipe:\n{faults(error)}") from error


def _folder() -> Path:
    return Path(str(files("trainer") / "recipes"))


def _shipped(name: str) -> Path:
    if not is_shipped(name):
        shipped = f"shipped: {', '.join(shipped_names())}; or give a path to a .toml file"
        if Path(name).is_dir():
            advice = f"a folder of pictures is for `train`, and `recipes --print {name}` makes a recipe of it"
            raise RecipeError(f"{name} is a folder, not a recipe: {advice}; {shipped}")
        if Path(name).exists():
            raise RecipeError(f"{name} is a file, but the name of a recipe's file ends in .toml; {shipped}")
        raise RecipeError(f"no recipe {name!r}; {shipped}")
    return _folder() / f"{name}.toml"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(RECIPE_LIMIT_BYTES + 1)
        if len(content) > RECIPE_LIMIT_BYTES:
            raise RecipeError(f"{path} is longer than {RECIPE_LIMIT_BYTES} bytes: no recipe is")
        return content.decode()
    except IsADirectoryError as error:
        raise RecipeError(f"{path} is a folder, not a recipe") from error
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text") from error
