"""All rules together: what is learned from, what is measured on, and whose labels are set aside."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.field.conftest import Champion
from tests.trainer.field.exports import Sent, sent_of, write_export
from trainer.data import Split, SplitName, synthetic
from trainer.encoding.encodings import of_standard
from trainer.field.outliers import PoisonedLabelsError, TrustRule
from trainer.field.selecting import FieldRules, Selection, select
from trainer.field.uploads import Export, read_export

CLASSES = synthetic.CLASSES
FIELD = synthetic.generate(SplitName.TRAIN, 600, size=32, seed=77)
DEVICES = [f"d{number}" for number in range(10)]
RULES = FieldRules(trust=TrustRule(confidence=0.6))  # of a champion that is seldom sure


def export_of(sent: list[Sent], folder: Path) -> Export:
    return read_export(write_export(folder / "export", sent), CLASSES, (32, 32), folder / "cache")


def lied(sent: list[Sent], liars: set[str]) -> list[Sent]:
    """The labels of some devices are others'."""
    for frame in sent:
        if frame.device in liars:
            frame.label = CLASSES[(CLASSES.index(frame.label) + 1 + frame.number % 30) % len(CLASSES)]
    return sent


def selected(champion: Champion, export: Export, rules: FieldRules | None = None) -> Selection:
    return select(export, champion.content, champion.dataset, rules or RULES)


def test_an_honest_field_is_divided_and_nobody_is_set_aside(champion: Champion, tmp_path: Path) -> None:
    export = export_of(sent_of(FIELD, CLASSES, DEVICES), tmp_path)
    selection = selected(champion, export)
    assert not selection.set_aside
    assert sorted((*selection.learned, *selection.recent)) == list(range(600))
    assert selection.held_out_devices + selection.newest == len(selection.recent)
    assert not set(selection.learned) & set(selection.recent)
    assert selected(champion, export) == selection


def test_a_liars_labels_are_neither_learned_from_nor_measured_on(champion: Champion, tmp_path: Path) -> None:
    export = export_of(lied(sent_of(FIELD, CLASSES, DEVICES), {"d4"}), tmp_path)
    selection = selected(champion, export)
    assert [one.device for one in selection.set_aside] == ["d4"]
    assert selection.set_aside[0].labels == 60
    assert "contradict confident answers" in selection.set_aside[0].reason
    rows = export.frames.rows
    assert not [row for row in (*selection.learned, *selection.recent) if rows[row].device == "d4"]


def test_what_people_reviewed_stands_even_of_a_liar(champion: Champion, tmp_path: Path) -> None:
    sent = sent_of(FIELD, CLASSES, DEVICES)
    reviewed = [frame for frame in sent if frame.device == "d4"][:6]
    lied([frame for frame in sent if frame not in reviewed], {"d4"})
    for frame in reviewed:
        frame.more = {"reviewed": True}
    export = export_of(sent, tmp_path)
    selection = selected(champion, export)
    assert [one.device for one in selection.set_aside] == ["d4"]
    rows = export.frames.rows
    kept = {rows[row].frame_id for row in (*selection.learned, *selection.recent) if rows[row].device == "d4"}
    assert kept == {frame.frame_id for frame in reviewed}


def test_a_third_of_liars_leaves_nothing_to_learn_from(champion: Champion, tmp_path: Path) -> None:
    export = export_of(lied(sent_of(FIELD, CLASSES, DEVICES), {"d1", "d4", "d7"}), tmp_path)
    with pytest.raises(PoisonedLabelsError, match="3 of 10 devices"):
        selected(champion, export)


def test_pictures_of_the_frozen_holdout_never_come_in(champion: Champion, tmp_path: Path) -> None:
    test, validation = champion.dataset.test.head(40), champion.dataset.validation.head(40)
    pixels = np.concatenate([FIELD.pixels[:100], test.pixels, validation.pixels])
    split = Split(pixels, np.r_[FIELD.labels[:100], test.labels, validation.labels])
    export = export_of(sent_of(split, CLASSES, DEVICES), tmp_path)
    selection = selected(champion, export)
    assert selection.twins >= 78
    frames = [export.frames.rows[row].frame_id for row in (*selection.learned, *selection.recent)]
    from_holdout = [frame_id for frame_id in frames if int(frame_id.partition(".")[2]) > 100]
    assert len(from_holdout) == 80 - selection.twins


def test_a_device_has_a_quota(champion: Champion, tmp_path: Path) -> None:
    export = export_of(sent_of(FIELD, CLASSES, DEVICES), tmp_path)
    selection = selected(champion, export, FieldRules(trust=TrustRule(quota=25)))
    assert selection.over_quota == 600 - 250
    assert len(selection.learned) + len(selection.recent) == 250


def test_details_are_those_of_frames_that_are_learned_from(champion: Champion, tmp_path: Path) -> None:
    sent = sent_of(FIELD.head(200), CLASSES, DEVICES)
    details = sent_of(FIELD.head(200), CLASSES, DEVICES, of_standard(90))
    for frame, detail in zip(sent, details, strict=True):
        detail.number += 10_000
        detail.more = {"kind": "detail", "of": frame.frame_id}
    export = export_of(sent + details, tmp_path)
    selection = selected(champion, export)
    learned = {export.frames.rows[row].frame_id for row in selection.learned}
    assert {export.details.rows[row].of for row in selection.details} == learned


def test_a_device_has_one_detail_a_frame_and_a_quota_of_them(champion: Champion, tmp_path: Path) -> None:
    sent = sent_of(FIELD.head(200), CLASSES, DEVICES)
    details = sent_of(FIELD.head(200), CLASSES, DEVICES, of_standard(90))
    others = sent_of(FIELD.head(200), CLASSES, DEVICES, of_standard(90))
    for frame, detail, other in zip(sent, details, others, strict=True):
        detail.number, other.number = frame.number + 10_000, frame.number + 20_000
        detail.more = other.more = {"kind": "detail", "of": frame.frame_id}
    export = export_of(sent + details + others, tmp_path)
    found = [export.details.rows[row] for row in selected(champion, export).details]
    assert len({row.of for row in found}) == len(found)
    few = selected(champion, export, FieldRules(trust=TrustRule(quota=5)))
    per_device = Counter(export.details.rows[row].device for row in few.details)
    assert per_device
    assert max(per_device.values()) <= 5
