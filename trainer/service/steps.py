"""The two heavy steps of a training, as their own process does them: retrain, and measure what came of it.

An order is plain data, and so is what is answered; a step that was killed may be done again.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from shared.bundle import BUNDLE_NAME, Bundle, Golden
from shared.errors import PeerError
from trainer import jobs
from trainer.data import Dataset, SplitName
from trainer.errors import ParityError, RecipeError
from trainer.export import bundle as bundles
from trainer.export.bundle import Exportable, logits_of
from trainer.export.int8 import EightBits
from trainer.export.predecessor import Predecessor
from trainer.field.comparing import CompareOrder, FieldComparison, Paired, compare_runs
from trainer.field.outliers import PoisonedLabelsError
from trainer.field.retraining import FieldData, RetrainOrder, champion_of, retrain
from trainer.jobs import Exported, ExportOrder, Machine
from trainer.service.calibration import calibration_error
from trainer.service.figures import (
    CalibrationFigures,
    EightBitFigures,
    GoldenFigures,
    Measured,
    PairFigures,
)
from trainer.service.gates import Gate, shortage_of
from trainer.service.job_state import Learned, SetAside
from trainer.training.run_dir import ASKED_NAME, RunDir


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetrainStep(_Order):
    """Train a net from the champion's; the same order again goes on.

    Args:
        champion: folder of its run.
        uploads: folder of an export of labelled frames.
        out: folder of the new run.
        budget: scan bytes a frame to learn tables for; None keeps the champion's.
        class_frames: so many frames of each class the holdout must have, or nothing is trained.
    """

    step: Literal["retrain"] = "retrain"
    champion: Path
    uploads: Path
    out: Path
    budget: float | None
    class_frames: int
    threads: int
    device: str


class MeasureStep(_Order):
    """Export a run as the bundle that follows the champion's, and measure the two side by side.

    Args:
        champion, challenger: folders of their runs.
        before: the champion's bundle folder.
        bundle: folder to write.
        budget: scan bytes a frame that are to be spent.
    """

    step: Literal["measure"] = "measure"
    champion: Path
    challenger: Path
    before: Path
    uploads: Path
    bundle: Path
    family: str
    counter: int
    budget: float
    threads: int


Step = Annotated[RetrainStep | MeasureStep, Field(discriminator="step")]


class Refused(_Order):
    """A step found that nothing may come of this training: which gate says so, and why."""

    gate: Gate
    words: str


class Answer(_Order):
    """What a step ends with: one of the three.

    Args:
        cpu_seconds, peak_bytes: what its process took.
    """

    learned: Learned | None = None
    measured: Measured | None = None
    refused: Refused | None = None
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def run_step(step: RetrainStep | MeasureStep, machine: Machine) -> Answer:
    """Do a step to its end.

    Raises:
        TrainerError: it cannot be done; says why.
    """
    return _retrain(step, machine) if isinstance(step, RetrainStep) else _measure(step, machine)


def _retrain(step: RetrainStep, machine: Machine) -> Answer:
    order = RetrainOrder(
        champion=step.champion,
        uploads=step.uploads,
        out=step.out,
        budget=step.budget,
        threads=step.threads,
        device=step.device,
    )
    if shortage := _shortage(step, machine):
        return Answer(refused=Refused(gate=Gate.CLASSES, words=shortage))
    try:
        data = retrain(order, machine)
    except PoisonedLabelsError as error:
        return Answer(refused=Refused(gate=Gate.DATA, words=str(error)))
    return Answer(learned=_learned(step.out, data))


def _shortage(step: RetrainStep, machine: Machine) -> str:
    """What the gate of the classes would say at the end, of which nothing that is learned changes anything."""
    dataset = machine.dataset(champion_of(step.champion).asked.recipe)
    counts = np.bincount(dataset.test.labels, minlength=len(dataset.classes)).tolist()
    return shortage_of(dict(zip(dataset.classes, counts, strict=True)), step.class_frames)


def _learned(run: Path, data: FieldData) -> Learned:
    return Learned(
        data_digest=data.digest,
        recipe_digest=hashlib.sha256((run / ASKED_NAME).read_bytes()).hexdigest(),
        sources={"base": data.pictures, "details": data.details, **data.sources, "held-out": data.recent},
        set_aside=tuple(SetAside(device=each.device, why=each.reason) for each in data.set_aside),
        left_out=data.not_learned,
    )


def _measure(step: MeasureStep, machine: Machine) -> Answer:
    torch.set_num_threads(step.threads)
    before, run = Predecessor.read(step.before), RunDir(step.challenger).finished()
    dataset = machine.dataset(run.asked.recipe)
    try:
        content = bundles.exportable(run, dataset)
    except ParityError as error:
        return Answer(refused=Refused(gate=Gate.PARITY, words=str(error)))
    try:
        before.require_comparable(content)
    except RecipeError as error:
        return Answer(refused=Refused(gate=Gate.ENCODERS, words=str(error)))
    description = _read(step.before)
    exported = jobs.export(
        ExportOrder(
            run=step.challenger,
            out=step.bundle,
            family=step.family,
            counter=step.counter,
            after=step.before,
            min_counter=description.min_counter,
            threads=step.threads,
        ),
        machine,
    )
    compared = compare_runs(
        CompareOrder(champion=step.champion, challenger=step.challenger, uploads=step.uploads, threads=step.threads),
        machine,
    )
    return Answer(measured=_measured(step, description, content, exported, compared, dataset))


def _measured(
    step: MeasureStep,
    before: Bundle,
    content: Exportable,
    exported: Exported,
    compared: FieldComparison,
    dataset: Dataset,
) -> Measured:
    written, files = bundles.read_bundle(step.bundle)
    return Measured(
        holdout=_pair(compared.holdout),
        recent=_pair(compared.recent) if compared.recent.n else None,
        int8=_eight_bits(exported.twin),
        calibration=_calibration(content, exported, dataset),
        golden=_golden(Exportable.of(written, files), files.golden),
        encoding_faults=tuple(encoding_faults(before, written)),
        budget=step.budget,
        data=dataset.name,
        champion=before.name,
        bundle=written.name,
        bundle_sha256=hashlib.sha256((step.bundle / BUNDLE_NAME).read_bytes()).hexdigest(),
        classifier_sha256=written.classifier.sha256,
        tables_id=written.tables.tables_id,
        champion_tables_id=before.tables.tables_id,
    )


def encoding_faults(before: Bundle, after: Bundle) -> list[str]:
    """Why cameras that run one bundle could not make another's frames; their size, view and labels agree already."""
    faults = []
    if after.tables.sampling is not before.tables.sampling:
        faults.append(f"its chroma is {after.tables.sampling.value}, not {before.tables.sampling.value}")
    if after.schema_version > before.schema_version:
        faults.append(f"its description has schema {after.schema_version}, theirs {before.schema_version}")
    if after.min_counter > before.counter:
        faults.append(f"it lets no camera run v{before.counter} any more")
    faults += _fault_of(after.check_selftest)
    return faults


def _fault_of(check: Callable[[], None]) -> list[str]:
    try:
        check()
    except PeerError as error:
        return [str(error)]
    return []


def _pair(pair: Paired) -> PairFigures:
    told = pair.model_dump()
    told["classes"] = told.pop("by_class")
    for side in ("champion", "challenger"):
        told[f"{side}_bytes"] = told.pop(f"{side}_scan_bytes")
    return PairFigures.model_validate(told)


def _eight_bits(twin: EightBits) -> EightBitFigures:
    return EightBitFigures(right=twin.right, float_right=twin.float_right, n=twin.n)


def _calibration(content: Exportable, exported: Exported, dataset: Dataset) -> CalibrationFigures:
    """On the frozen holdout: the temperature was found on validation pictures."""
    assert exported.reference is not None and exported.reference.temperature is not None
    temperature, truth = exported.reference.temperature, dataset.test.labels
    outcomes = bundles.measure(content, dataset, SplitName.TEST, "").outcomes
    assert outcomes.logits is not None
    return CalibrationFigures(
        error=calibration_error(outcomes.logits, truth, temperature), temperature=temperature, n=len(truth)
    )


def _golden(content: Exportable, golden: Golden) -> GoldenFigures:
    promised = np.array(golden.logits, np.float32)
    found = logits_of(content, [*golden.frames[: len(promised)]])
    worst = float(np.abs(found - promised).max() / max(float(promised.std()), 1e-9))
    return GoldenFigures(n=len(golden.frames), rows=len(promised), worst=worst)


def _read(folder: Path) -> Bundle:
    return Bundle.from_bytes((folder / BUNDLE_NAME).read_bytes())
