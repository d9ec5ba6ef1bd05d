"""Champion and challenger, pair by pair, on the holdout and on recent uploads."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.field.conftest import Champion
from tests.trainer.field.exports import sent_of, write_export
from trainer.data import SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import of_standard, steps_of
from trainer.errors import RecipeError
from trainer.evaluation.intervals import mcnemar, paired_interval
from trainer.export.bundle import Exportable, measure, served_net
from trainer.export.onnx_graph import to_onnx
from trainer.field.comparing import compare
from trainer.field.uploads import Uploads, read_export

CLASSES = synthetic.CLASSES
FIELD = synthetic.generate(SplitName.TRAIN, 300, size=32, seed=77)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Uploads:
    folder = tmp_path_factory.mktemp("uploads")
    write_export(folder / "export", sent_of(FIELD, CLASSES, ["a", "b"], of_standard(50)))
    return read_export(folder / "export", CLASSES, (32, 32), folder / "cache").frames


@pytest.fixture(scope="module")
def without_a_class(champion: Champion) -> Exportable:
    """The champion, which has forgotten one class."""
    net = served_net(champion.run, champion.dataset)
    bias = net.get_parameter("head.bias")
    bias.data[7] -= 1_000
    return replace(champion.content, model=to_onnx(net, steps_of(champion.content.encoding), 32, 32))


def test_a_net_compared_with_itself_neither_gains_nor_loses(champion: Champion, uploads: Uploads) -> None:
    recent = np.arange(0, 300, 3)
    compared = compare(champion.content, champion.content, champion.dataset, uploads, recent)
    for paired in (compared.holdout, compared.recent):
        assert (paired.only_champion, paired.only_challenger, paired.gain, paired.p) == (0, 0, 0, 1)
        assert paired.low < 0 < paired.high
        assert paired.champion_right == paired.challenger_right > 0.4 * paired.n
    assert compared.recent.n == 100


def test_the_holdouts_figures_are_those_of_the_evaluation(champion: Champion, uploads: Uploads) -> None:
    compared = compare(champion.content, champion.content, champion.dataset, uploads, np.arange(0))
    measured = measure(champion.content, champion.dataset, SplitName.TEST, "v1").evaluation
    assert compared.holdout.champion_right / compared.holdout.n == pytest.approx(measured.accuracy)
    assert compared.holdout.champion_scan_bytes == pytest.approx(measured.scan.mean)
    assert compared.recent.n == 0


def test_a_class_that_the_challenger_has_lost_is_named(
    champion: Champion, without_a_class: Exportable, uploads: Uploads
) -> None:
    compared = compare(champion.content, without_a_class, champion.dataset, uploads, np.arange(300))
    for paired in (compared.holdout, compared.recent):
        by_label = {one.label: one for one in paired.by_class}
        lost = by_label[CLASSES[7]]
        assert lost.challenger_right == 0 < lost.champion_right
        assert sum(one.n for one in paired.by_class) == paired.n
        assert sum(one.champion_right for one in paired.by_class) == paired.champion_right
        assert paired.only_champion >= lost.champion_right
        assert (paired.low, paired.high) == paired_interval(paired.only_challenger, paired.only_champion, paired.n)
        assert paired.p == mcnemar(paired.only_challenger, paired.only_champion)
        assert paired.gain < 0


def test_each_side_has_its_own_tables_bytes(champion: Champion, uploads: Uploads) -> None:
    net, coarse = served_net(champion.run, champion.dataset), of_standard(15)
    challenger = replace(champion.content, encoding=coarse, model=to_onnx(net, steps_of(coarse), 32, 32))
    compared = compare(champion.content, challenger, champion.dataset, uploads, np.arange(300))
    true = streams.scan_bytes(champion.content.encoding, FIELD.pixels).mean()
    assert compared.recent.champion_scan_bytes == pytest.approx(true, rel=0.005)  # but for stuffed bytes
    simulated, real = compared.recent.challenger_scan_bytes, streams.scan_bytes(coarse, FIELD.pixels).mean()
    assert simulated == pytest.approx(real, rel=0.1)
    assert compared.holdout.challenger_scan_bytes < 0.8 * compared.holdout.champion_scan_bytes


def test_nets_of_other_labels_or_sizes_are_not_compared(champion: Champion, uploads: Uploads) -> None:
    for other in (replace(champion.content, labels=("a", *CLASSES[1:])), replace(champion.content, width=64)):
        with pytest.raises(RecipeError, match="champion and challenger"):
            compare(champion.content, other, champion.dataset, uploads, np.arange(3))
