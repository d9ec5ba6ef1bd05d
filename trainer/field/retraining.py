"""From a champion and labelled uploads to its challenger: a finished run, as if `train` had made it.

The net starts from the champion's and learns from base pictures and uploads together; tables stay, or are learned anew
from base pictures and details under a byte budget. The champion teaches on base pictures alone: where the field has
changed, its answers there are what is to be corrected.
"""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from trainer import jobs
from trainer.data import Dataset
from trainer.errors import DatasetError, RecipeError, RunError
from trainer.export import bundle as bundles
from trainer.field.left_out import Cause, told
from trainer.field.manifest import digest_of
from trainer.field.mixing import mixed
from trainer.field.selecting import FieldRules, Selection, SetAside, select
from trainer.field.showing import FieldFrames
from trainer.field.uploads import UNKNOWN_LABEL, Export, read_export
from trainer.jobs import Machine
from trainer.recipes.goals import AnyTablesGoal, KeptGoal, LearnedGoal
from trainer.recipes.recipe import Branch, Recipe
from trainer.recipes.toml_text import toml_of
from trainer.training.compute import Compute
from trainer.training.epochs import Training
from trainer.training.improved import ImprovedMethod
from trainer.training.provenance import provenance
from trainer.training.run_dir import Asked, Finished, RunDir
from trainer.whole_file import write_whole

FIELD_NAME = "field.json"  # in the run's folder


@dataclass(frozen=True, kw_only=True)
class RetrainOrder:
    """Train a champion's challenger; the same order again resumes it.

    Args:
        champion: folder of the finished run to start from.
        uploads: folder that `dctwire samples export` wrote.
        out: folder of the new run.
        budget: scan bytes a frame for new tables; None keeps the champion's tables.
        epochs: None: as many as the champion had where it was a branch itself, or else 4. All else follows the
            [branch] section of its recipe in the same way: a run that began from nothing has kept none.
        rules: which uploads are learned from, and how often.
        threads: CPU threads.
        device: `auto`, `cpu`, `cuda` or `cuda:NUMBER`.
    """

    champion: Path
    uploads: Path
    out: Path
    budget: float | None = None
    epochs: int | None = None
    rules: FieldRules = field(default_factory=FieldRules)
    threads: int = 1
    device: str = "auto"


class FieldData(BaseModel):
    """What a run learned from, as `field.json` in its folder holds it.

    Args:
        digest: SHA-256 of all uploads that were read, and of their labels and times.
        pictures: of the base set, each shown once an epoch.
        learned, recent, details: uploads that are learned from, that are measured on, and details.
        showings: of uploads in an epoch.
        sources, reasons, classes: how many of `learned` have which source of the label, reason for being kept, label.
        devices: that `learned` is from.
        twins, over_quota: uploads that were not looked at: of pictures of the frozen holdout; beyond a device's quota.
        held_out_devices, newest: of `recent`, by why they are held out.
        set_aside: devices whose labels are not believed.
        left_out: files that could not be used, by reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    pictures: int
    learned: int
    recent: int
    details: int
    showings: int
    sources: dict[str, int]
    reasons: dict[str, int]
    classes: dict[str, int]
    devices: int
    twins: int
    over_quota: int
    held_out_devices: int
    newest: int
    set_aside: tuple[SetAside, ...]
    left_out: dict[str, int]

    @property
    def not_learned(self) -> dict[str, int]:
        """How many uploads are not learned from, by `Cause`; a frame with two causes counts for both."""
        unknown = self.left_out.get(UNKNOWN_LABEL, 0)
        counts = {
            Cause.TWINS: self.twins,
            Cause.DAMAGED: sum(self.left_out.values()) - unknown,
            Cause.UNKNOWN_LABELS: unknown,
            Cause.QUOTA: self.over_quota,
            Cause.SET_ASIDE: sum(one.labels for one in self.set_aside),
            Cause.HELD_OUT_BY_DEVICE: self.held_out_devices,
            Cause.HELD_OUT_BY_TIME: self.newest,
        }
        return {cause.value: count for cause, count in counts.items() if count}


def retrain(order: RetrainOrder, machine: Machine) -> FieldData:
    """Train to the end, or go on; a finished run is left alone.

    Raises:
        RunError: the champion is no finished run that a camera's bundle comes from; or another run, or another process,
            already uses the folder.
        DatasetError: the uploads are no export, or hold nothing to learn from; or the base set is missing or damaged.
        PoisonedLabelsError: too many devices' labels are not to be believed.
        RecipeError, BudgetError, DivergedError: as in `jobs.train`.
    """
    began = machine.monotonic()
    torch.set_num_threads(order.threads)
    with machine.compute(order.device) as compute:
        champion = champion_of(order.champion)
        recipe = _recipe(champion, order)
        dataset = machine.dataset(recipe)
        export = read_uploads(order.uploads, dataset, machine)
        run, asked = RunDir(order.out), _asked(order, recipe, dataset, export)
        run.refuse_another(asked)
        if run.is_finished:
            machine.reporter.say(f"{order.out} is finished already")
            return read_field_data(order.out)
        selection = _agreed(compute, select(export, bundles.exportable(champion, dataset), dataset, order.rules))
        if not selection.learned:
            counts = _field_data(export, selection, len(dataset.train), 0).not_learned
            raise DatasetError(order.uploads, f"nothing is left to learn from: {told(counts)}")
        beside, data = _beside(export, selection, recipe, dataset, order.rules)
        _tell(data, machine)
        kept = champion.encoding if order.budget is None else None
        method = ImprovedMethod(recipe, dataset, _goal(order), compute, champion.net_state, kept, beside)
        with run.at_work(asked) if compute.is_first else nullcontext():
            if compute.is_first:
                run.keep_recipe(toml_of(recipe))
                run.note_provenance(provenance(compute, order.threads))
                _write(order.out, data)
            jobs.to_end(Training(method, machine.monotonic), run, compute, machine.reporter)
            compute.agreed(None)  # so that whoever goes on, in whichever process, finds the results on the disk
        machine.reporter.say(f"finished in {machine.monotonic() - began:.1f} s: {order.out}")
        return data


def champion_of(folder: Path) -> Finished:
    """A finished run that bundles come from.

    Raises:
        RunError: it is none.
    """
    run = RunDir(folder).finished()
    if not isinstance(run.asked.recipe, Recipe):
        raise RunError(f"{folder} is a run of the paper's method: it serves no family, so it has no challengers")
    if isinstance(run.asked.goal, AnyTablesGoal):
        raise RunError(f"{folder} is a run of any tables: it has none that a camera could encode with")
    return run


def read_uploads(folder: Path, dataset: Dataset, machine: Machine) -> Export:
    """Read an export for nets of a data set.

    Raises:
        DatasetError: as `read_export`.
    """
    with machine.reporter.bar("uploads") as progress:
        return read_export(folder, dataset.classes, dataset.size, machine.cache_dir, progress)


def read_field_data(run: Path) -> FieldData:
    """What a run learned from.

    Raises:
        RunError: its folder does not say.
    """
    try:
        return FieldData.model_validate_json((run / FIELD_NAME).read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{run / FIELD_NAME} cannot be read: {error}") from error


def _recipe(champion: Finished, order: RetrainOrder) -> Recipe:
    """The champion's recipe with a [branch] section for this order."""
    recipe = champion.asked.recipe
    assert isinstance(recipe, Recipe)
    branch = recipe.branch or Branch(epochs=max(Branch().epochs, recipe.tables.learning_epochs + 1))
    if order.epochs is not None:
        branch = branch.model_copy(update={"epochs": order.epochs})
    if order.budget is not None and recipe.tables.learning_epochs >= branch.epochs:
        raise RecipeError(
            f"{branch.epochs} epochs leave none to settle after tables.learning_epochs = "
            f"{recipe.tables.learning_epochs}: the net must settle on the finished tables"
        )
    return recipe.model_copy(update={"branch": branch})


def _goal(order: RetrainOrder) -> KeptGoal | LearnedGoal:
    return KeptGoal() if order.budget is None else LearnedGoal(budget=order.budget)


def _asked(order: RetrainOrder, recipe: Recipe, dataset: Dataset, export: Export) -> Asked:
    rules = TypeAdapter(FieldRules).dump_json(order.rules).decode()
    return Asked(
        recipe=recipe,
        goal=_goal(order),
        data=dataset.name,
        start=str(order.champion),
        uploads=digest_of([export.digest, rules]),
    )


def _agreed(compute: Compute, selection: Selection) -> Selection:
    """What the first process chose: confidences may round otherwise in another."""
    return Selection.model_validate_json(compute.agreed(selection.model_dump_json()))


def _beside(
    export: Export, selection: Selection, recipe: Recipe, dataset: Dataset, rules: FieldRules
) -> tuple[FieldFrames, FieldData]:
    frames, learned = export.frames, np.array(selection.learned, np.int64)
    pictures = len(dataset.train)
    mixture = mixed(rules.mixing, frames.labels[learned], frames.devices[learned], frames.times[learned], pictures)
    beside = FieldFrames(
        (frames, learned),
        (export.details, np.array(selection.details, np.int64)),
        mixture,
        pictures=pictures,
        batch=recipe.branch_optimiser.batch,
        seed=recipe.seed,
    )
    return beside, _field_data(export, selection, pictures, mixture.total)


def _field_data(export: Export, selection: Selection, pictures: int, showings: int) -> FieldData:
    rows = [export.frames.rows[row] for row in selection.learned]
    return FieldData(
        digest=export.digest,
        pictures=pictures,
        learned=len(rows),
        recent=len(selection.recent),
        details=len(selection.details),
        showings=showings,
        sources=dict(Counter(row.source for row in rows)),
        reasons=dict(Counter(row.reason for row in rows)),
        classes=dict(Counter(row.label for row in rows)),
        devices=len({row.device for row in rows}),
        twins=selection.twins,
        over_quota=selection.over_quota,
        held_out_devices=selection.held_out_devices,
        newest=selection.newest,
        set_aside=selection.set_aside,
        left_out=export.reasons,
    )


def _tell(data: FieldData, machine: Machine) -> None:
    machine.reporter.say(
        f"{data.learned} uploads of {data.devices} devices, shown {data.showings} times an epoch beside "
        f"{data.pictures} base pictures; {data.recent} kept to measure on"
    )
    for one in data.set_aside:
        machine.reporter.warn("set aside", f"the labels of {one.device}: {one.reason}")


def _write(folder: Path, data: FieldData) -> None:
    write_whole(folder / FIELD_NAME, lambda file: file.write(data.model_dump_json(indent=2).encode() + b"\n"))
