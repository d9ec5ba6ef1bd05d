"""Golden frames against a classifier: whatever it says that its trainer did not say is found."""

from pathlib import Path

import numpy as np
import pytest

from cloud_server.errors import ClassifierError
from cloud_server.inference.classifier import Classifier, Logits, Plane
from cloud_server.inference.golden import LOGITS_TOLERANCE, check_logits, count_correct
from shared.bundle import Bundle, Golden
from shared.jpeg import Decoder
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.frames import tables

Checked = tuple[Classifier, Bundle, Golden]


class NotANumber(Classifier):
    """A classifier whose first logit is NaN."""

    def try_run(self, y: Plane, c: Plane) -> Logits:
        """As `Classifier.try_run`."""
        logits = super().try_run(y, c)
        logits[0, 0] = np.nan
        return logits


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """A classifier, its bundle, and what it really says of the golden frames."""
    bundle = write_bundle(tmp_path / "v1", "a", 1, tables(50), seed=1)
    golden = Golden.from_bytes((tmp_path / "v1" / "golden.json").read_bytes())
    return Classifier.load(tmp_path / "v1" / "classifier.onnx", bundle.input, len(LABELS)), bundle, golden


def check(checked: Checked, golden: Golden) -> None:
    """Hold these golden frames against the classifier."""
    classifier, bundle, _ = checked
    check_logits(classifier, Decoder(bundle.tables), bundle.input, golden)


def moved(golden: Golden, by: float) -> Golden:
    """The golden frames with one logit moved by so many of the logits' standard deviations."""
    logits = np.array(golden.logits, np.float32)
    logits[-1, -1] += by * logits.std()
    return golden.model_copy(update={"logits": tuple(map(tuple, logits.tolist()))})


def test_a_classifier_that_gives_its_golden_logits_passes(checked: Checked) -> None:
    check(checked, checked[2])
    check(checked, moved(checked[2], LOGITS_TOLERANCE / 2))


@pytest.mark.parametrize("by", [2 * LOGITS_TOLERANCE, -2 * LOGITS_TOLERANCE])
def test_one_logit_that_differs_is_refused(checked: Checked, by: float) -> None:
    with pytest.raises(ClassifierError, match="does not reproduce"):
        check(checked, moved(checked[2], by))


def test_a_golden_logit_that_is_no_number_is_refused(checked: Checked) -> None:
    logits = np.array(checked[2].logits, np.float32)
    logits[0, 0] = np.nan
    golden = checked[2].model_copy(update={"logits": tuple(map(tuple, logits.tolist()))})
    with pytest.raises(ClassifierError, match="does not reproduce"):
        check(checked, golden)


def test_a_classifier_that_gives_no_numbers_is_refused(checked: Checked) -> None:
    classifier, bundle, golden = checked
    broken = NotANumber(classifier.session, bundle.input)
    with pytest.raises(ClassifierError, match="not finite"):
        check_logits(broken, Decoder(bundle.tables), bundle.input, golden)


def test_logits_of_another_number_of_labels_are_refused(checked: Checked) -> None:
    logits = tuple(row[:-1] for row in checked[2].logits)
    with pytest.raises(ClassifierError, match="golden logits are 4 a frame, the classifier's 5"):
        check(checked, checked[2].model_copy(update={"logits": logits}))


def test_frames_that_are_named_rightly_are_counted_whatever_the_batch(checked: Checked) -> None:
    classifier, bundle, golden = checked
    truth = [*golden.truth]
    truth[0], truth[-1] = ((label + 1) % len(LABELS) for label in (truth[0], truth[-1]))
    wrong = golden.model_copy(update={"truth": tuple(truth)})
    for batch_max in (1, 5, 64):
        classifier.batch_max = batch_max
        assert count_correct(classifier, Decoder(bundle.tables), bundle.input, golden) == len(truth)
        assert count_correct(classifier, Decoder(bundle.tables), bundle.input, wrong) == len(truth) - 2
