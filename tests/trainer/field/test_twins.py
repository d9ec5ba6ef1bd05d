"""Pictures of the frozen holdout are found again in uploads, whatever tables they were sent with; others are not."""

from pathlib import Path

import numpy as np
import pytest

from shared.jpeg import TableSet
from tests.trainer.field.exports import sent_of, write_export
from trainer.data import Split, SplitName, synthetic
from trainer.encoding.encodings import of_standard, rdo_rule
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.field.twins import twins_of
from trainer.field.uploads import Uploads, read_export

HOLDOUT = synthetic.generate(SplitName.TEST, 300, size=32, seed=5)
OTHERS = synthetic.generate(SplitName.TRAIN, 300, size=32, seed=5)


def uploads_of(split: Split, encoding: Encoding, folder: Path) -> Uploads:
    sent = sent_of(split, synthetic.CLASSES, ["a"], encoding)
    write_export(folder / "export", sent)
    return read_export(folder / "export", synthetic.CLASSES, (32, 32), folder / "cache").frames


@pytest.mark.parametrize(
    "encoding",
    [
        of_standard(90),
        of_standard(50),
        of_standard(25),
        Encoding(TableSet.standard(60), EncoderSettings.nearest(0.35)),
        of_standard(60, rdo_rule(0.12)),
    ],
    ids=["fine", "ordinary", "coarse", "dead zone", "rate-distortion"],
)
def test_pictures_of_the_holdout_are_found_and_others_are_not(encoding: Encoding, tmp_path: Path) -> None:
    some = Split(np.concatenate([HOLDOUT.pixels[:40], OTHERS.pixels]), np.r_[HOLDOUT.labels[:40], OTHERS.labels])
    found = twins_of([HOLDOUT], uploads_of(some, encoding, tmp_path))
    assert found[:40].mean() >= 0.95
    assert not found[40:].any()


def test_a_frame_in_which_next_to_nothing_is_coded_is_nobodys_twin(tmp_path: Path) -> None:
    flat = Split(np.full((4, 32, 32, 3), 90, np.uint8), np.zeros(4, np.int64))
    assert not twins_of([flat], uploads_of(flat, of_standard(50), tmp_path)).any()
