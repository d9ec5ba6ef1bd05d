"""The rate proxy: its terms counted by hand, its gradient, and how well it fits true Huffman bits."""

import torch

from shared.jpeg import TableSet
from tests.trainer.present import present
from trainer.data import SplitName, synthetic
from trainer.diff_jpeg import Planes, QuantTables, RateModel, coefficients
from trainer.diff_jpeg.rate import AC, features
from trainer.encoding import streams
from trainer.encoding.files import Encoding


def test_terms_of_a_frame_counted_by_hand() -> None:
    y, c = torch.zeros(1, 64, 4, 4), torch.zeros(1, 128, 2, 2)
    # luma DC along the scan: MCU by MCU, two blocks above two blocks
    y[0, 0] = torch.tensor([[1.0, 1, 4, 4], [1, 1, 4, 4], [0, 0, 0, 0], [0, 0, 0, 0]])
    y[0, 5, 2, 1], y[0, 63, 0, 0] = -3, 1
    c[0, 64] = torch.tensor([[0.0, 0], [0, 7]])
    c[0, 65, 1, 1] = 15
    counts, sums = torch.split(features(Planes(y, c))[0], [2 * AC, 6])
    assert counts.nonzero().flatten().tolist() == [5 - 1, 63 - 1, AC]  # luma 5 and 63, chroma 1
    assert counts.sum() == 3
    log = torch.tensor([2.0, 4, 5, 8, 16]).log2()
    luma_differences = log[0] + log[1] + log[2]  # 0 to 1, to 4, to 0
    assert sums.tolist() == [log[1] + log[0], log[4], luma_differences, log[3], 2, 1]


def test_only_differences_of_neighbours_in_the_scan_count_for_dc() -> None:
    y, c = torch.zeros(1, 64, 4, 4), torch.zeros(1, 128, 2, 2)
    y[0, 0, :, :2] = 3  # MCUs 0 and 2: up, down, up, down
    assert torch.isclose(features(Planes(y, c))[0, 2 * AC + 2], torch.tensor(4.0).log2() * 4)


def test_coarser_steps_are_predicted_to_cost_less_and_the_gradient_says_so() -> None:
    pixels = torch.from_numpy(synthetic.generate(SplitName.TRAIN, 64, size=32, seed=5).pixels)
    tables, rate = QuantTables(torch.full((3, 64), 20.0)), RateModel()
    planes = coefficients(pixels)
    bits = rate(tables.scaled(planes)).mean()
    torch.autograd.backward(bits)
    step = 0.05
    with torch.no_grad():
        coarser = rate(QuantTables(torch.full((3, 64), 20 * (1 + step))).scaled(planes)).mean()
    predicted = float(present(tables.log_steps.grad).sum()) * step
    assert present(tables.log_steps.grad).max() <= 0
    assert 0.5 < predicted / float(coarser - bits.detach()) < 2


def test_fitted_to_true_huffman_bits_it_predicts_held_out_frames_within_four_percent() -> None:
    split = synthetic.generate(SplitName.TRAIN, 2048, size=32, seed=5)
    encoding = Encoding(TableSet.standard(50))
    levels = streams.quantise(encoding, split)
    bits = 8.0 * torch.from_numpy(streams.scan_bytes(streams.with_fitted_huffman(encoding, split), split.pixels))
    terms, rate = features(levels.planes(slice(None))), RateModel()
    before = rate.median_error(terms[1024:], bits[1024:].float())
    rate.fit(terms[:1024], bits[:1024].float())
    assert rate.median_error(terms[1024:], bits[1024:].float()) < min(0.04, before)


def test_a_frequency_never_coded_is_taken_to_cost_what_others_of_its_kind_do() -> None:
    terms = torch.rand(400, 2 * AC + 6, generator=torch.Generator().manual_seed(0))
    terms[:, 10] = 0
    rate = RateModel()
    rate.fit(terms, 5 * terms[:, : 2 * AC].sum(1) + 10)
    assert abs(float(rate.coefficients[10]) - 5) < 0.1


def test_frequencies_that_cost_more_are_told_from_the_others() -> None:
    terms = torch.rand(4000, 2 * AC + 6, generator=torch.Generator().manual_seed(0))
    rate = RateModel()
    rate.fit(terms, 5 * terms[:, : 2 * AC].sum(1) + 4 * terms[:, 20])
    assert float(rate.coefficients[20] - rate.coefficients[21]) > 3
