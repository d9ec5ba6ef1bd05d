"""Which frames of an export are learned from, which are measured on, and why the others not: all rules together."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from trainer.data import Dataset, Split
from trainer.encoding import streams
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier
from trainer.export.reference import temperature_of
from trainer.field.mixing import MixingRule
from trainer.field.outliers import Outlier, TrustRule, outliers, within_quota
from trainer.field.reading import FieldReader
from trainer.field.splitting import SplittingRule, parted
from trainer.field.twins import twins_of
from trainer.field.uploads import Export, Rows, Uploads

CALIBRATION_FRAMES = 4_096


@dataclass(frozen=True, kw_only=True)
class FieldRules:
    """All rules with their numbers."""

    splitting: SplittingRule = field(default_factory=SplittingRule)
    mixing: MixingRule = field(default_factory=MixingRule)
    trust: TrustRule = field(default_factory=TrustRule)


class SetAside(BaseModel):
    """A device that is not believed, and why, in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    reason: str
    labels: int


class Selection(BaseModel):
    """What became of an export's frames.

    Args:
        learned, recent: rows of its frames, to be learned from and to be measured on.
        details: rows of its details that are learned from.
        twins: frames that show a picture of the frozen holdout.
        over_quota: frames beyond their device's quota.
        held_out_devices, newest: how many of `recent` are held out by device, and by time.
        set_aside: devices whose labels are not believed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learned: tuple[int, ...]
    recent: tuple[int, ...]
    details: tuple[int, ...]
    twins: int
    over_quota: int
    held_out_devices: int
    newest: int
    set_aside: tuple[SetAside, ...]


def select(export: Export, champion: Exportable, dataset: Dataset, rules: FieldRules) -> Selection:
    """Apply the rules; a function of what it is given alone, so that training and comparing see the same parts.

    Raises:
        PoisonedLabelsError: too many devices are not to be believed.
    """
    frames, holdout = export.frames, frozen_holdout(dataset)
    twins = twins_of(holdout, frames)
    within = within_quota(frames.devices, frames.times, rules.trust.quota)
    usable = np.flatnonzero(~twins & within)
    found = _outliers(frames, usable, FieldReader(champion), _temperature(champion, dataset), rules.trust)
    distrusted = np.isin(frames.devices[usable], [one.device for one in found]) & ~frames.is_reviewed[usable]
    believed = usable[~distrusted]
    parts = parted(frames.devices[believed], frames.times[believed], rules.splitting)
    learned = believed[parts.is_learned]
    return Selection(
        learned=tuple(learned.tolist()),
        recent=tuple(believed[parts.is_held_out].tolist()),
        details=tuple(_details(export, learned, twins_of(holdout, export.details), rules.trust.quota).tolist()),
        twins=int(twins.sum()),
        over_quota=int((~within).sum()),
        held_out_devices=int(parts.is_of_held_out_device.sum()),
        newest=int(parts.is_newest.sum()),
        set_aside=tuple(_named(one, frames.devices[usable][distrusted]) for one in found),
    )


def frozen_holdout(dataset: Dataset) -> tuple[Split, Split]:
    """The base set's pictures that no upload may bring into training: validation and test."""
    return dataset.validation, dataset.test


def _outliers(
    frames: Uploads, usable: Rows, reader: FieldReader, temperature: float, rule: TrustRule
) -> tuple[Outlier, ...]:
    logits = reader.logits(frames, usable).astype(np.float64) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    confidences = odds.max(axis=1) / odds.sum(axis=1)
    is_witnessed = (confidences >= rule.confidence) & ~frames.is_reviewed[usable]
    is_contradicted = logits.argmax(axis=1) != frames.labels[usable]
    return outliers(frames.devices[usable], is_witnessed, is_contradicted, rule)


def _temperature(champion: Exportable, dataset: Dataset) -> float:
    """What makes the champion's confidences honest on held-out pictures."""
    pictures = dataset.validation.head(CALIBRATION_FRAMES)
    logits = OnnxClassifier(champion.model).logits(streams.quantise(champion.encoding, pictures))
    return temperature_of(logits, pictures.labels)


def _details(export: Export, learned: Rows, is_twin: NDArray[np.bool_], quota: int) -> Rows:
    """Details of frames that are learned from, and of others of the same devices and times that were not exported.

    One a frame, the first, and of a device the newest `quota`, as of frames: which pictures it sends as details is a
    device's own choice.
    """
    frames = export.frames
    chosen = {frames.rows[row].frame_id for row in learned.tolist()}
    known = {row.frame_id for row in frames.rows}
    devices, until = set(frames.devices[learned].tolist()), frames.times[learned].max(initial=-np.inf)
    rows = [
        place
        for place, row in enumerate(export.details.rows)
        if not is_twin[place]
        and (row.of in chosen or (row.of not in known and row.device in devices and row.taken_at <= until))
    ]
    first: dict[str | None, int] = {}
    for place in sorted(rows, key=lambda place: export.details.rows[place].taken_at):
        first.setdefault(export.details.rows[place].of, place)
    chosen_rows = np.array(sorted(first.values()), np.int64)
    return chosen_rows[within_quota(export.details.devices[chosen_rows], export.details.times[chosen_rows], quota)]


def _named(one: Outlier, of_distrusted: NDArray[np.str_]) -> SetAside:
    labels = int((of_distrusted == one.device).sum())
    return SetAside(device=one.device, reason=one.describe(), labels=labels)
