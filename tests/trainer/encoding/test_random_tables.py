"""Random tables: the same for a picture and epoch whoever asks, of all finenesses, and quantising as the codec does."""

import math

import numpy as np
import torch

from shared.jpeg import Encoder, TableSet
from tests.trainer.diff_jpeg.test_transform import CHROMA_TOLERANCE, LUMA_TOLERANCE
from tests.trainer.present import present
from trainer.data import SplitName, synthetic
from trainer.diff_jpeg import coefficients
from trainer.encoding.random_tables import RandomTables, quantised

ROWS = np.arange(2_000)


def test_a_frames_tables_depend_on_seed_epoch_and_row_alone() -> None:
    tables = RandomTables(3)
    whole = tables.steps(ROWS, 2)
    some = np.array([1999, 5, 700])
    assert torch.equal(RandomTables(3).steps(some, 2), whole[some])
    for other in (tables.steps(ROWS, 1), RandomTables(4).steps(ROWS, 2), whole.roll(1, 0)):
        same = (other == whole).all((1, 2)).float().mean()
        assert same < 0.01


def test_steps_are_whole_and_tables_fine_and_coarse() -> None:
    steps = RandomTables(0).steps(ROWS, 0)
    assert torch.equal(steps, steps.round().clamp(1, 255))
    standard = torch.tensor([list(table) for table in TableSet.standard().quant], dtype=torch.float32)
    scales = (steps.log().mean((1, 2)) - standard.log().mean()).exp()
    low, middle, high = scales.quantile(torch.tensor([0.02, 0.5, 0.98])).tolist()
    assert low < 0.25
    assert 0.8 < middle < 1.5
    assert high > 3


def test_some_tables_are_flat_and_the_others_have_annex_ks_shape() -> None:
    steps = RandomTables(0).steps(ROWS, 0)[:, 0].log()
    standard = torch.tensor(list(TableSet.standard().quant[0])).log()
    middling = steps[(steps.mean(1) > math.log(20)) & (steps.mean(1) < math.log(60))]  # neither end in reach
    shape = standard - standard.mean()
    slopes = (middling - middling.mean(1, keepdim=True)) @ shape / shape.square().sum()
    flat = (slopes.abs() < 0.3).float().mean()
    alike = ((slopes - 0.95).abs() < 0.35).float().mean()
    assert 0.2 < flat < 0.4
    assert flat + alike > 0.97


def test_frames_of_their_own_tables_are_quantised_as_the_codec_does() -> None:
    pixels = synthetic.generate(SplitName.TEST, 24, size=32, seed=7).pixels
    steps = RandomTables(1).steps(np.arange(24), 0)
    exact = coefficients(torch.from_numpy(pixels))
    ours = quantised(exact, steps)
    for row in range(24):
        table_set = TableSet.standard().with_quant(tuple(bytes(map(int, table)) for table in steps[row]))
        y, c = Encoder(table_set).quantise_batch(pixels[row : row + 1])
        for mine, levels, plane, table, tolerance in (
            (ours.y[row], y[0], exact.y[row], steps[row, 0], LUMA_TOLERANCE),
            (ours.c[row], present(c)[0], exact.c[row], steps[row, 1:].reshape(-1), CHROMA_TOLERANCE),
        ):
            step = table.view(-1, 1, 1).expand_as(plane)
            theirs = torch.from_numpy(levels) * step
            differs = mine != theirs
            scaled = plane / step
            from_boundary = (scaled - scaled.floor() - 0.5).abs() * step
            assert differs.float().mean() < 0.1
            assert not differs.any() or from_boundary[differs].max() <= tolerance
            assert torch.equal((mine - theirs).abs()[differs], step[differs])
