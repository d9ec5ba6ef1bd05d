"""Literal figures: what real steps give, and that integer ones give what the codec gives."""

import numpy as np
import torch

from tests.trainer.paper.small import CPU, dataset, training
from trainer.encoding import streams
from trainer.evaluation.fidelity import likeness
from trainer.paper.compliance import encoding_of
from trainer.paper.literal import literal_accuracy, literal_logits, literal_pictures, literal_scan_bytes
from trainer.recipes.goals import StandardGoal


def test_with_integer_steps_literal_bytes_are_the_codecs_but_for_stuffing_and_the_transforms_rounding():
    data = dataset()
    of = training(StandardGoal(quality=50), data)
    literal = literal_scan_bytes(of.method.net, data.train, data.validation, CPU.device)
    real = streams.scan_bytes(encoding_of(of.method.net.kernels, data.train), data.validation.pixels)
    assert abs(literal.mean() / real.mean() - 1) < 0.01
    assert np.abs(literal - real).max() <= 0.05 * real.mean()


def test_real_steps_are_not_rounded_and_finer_ones_look_better_and_cost_more():
    data = dataset()
    of, looks, sizes = training(data=data), [], []
    for step in (40.0, 12.4, 11.6):
        with torch.no_grad():
            of.method.net.kernels.q.fill_(1 / step)
        looks.append(
            likeness(
                data.validation.pixels, literal_pictures(of.method.net, data.validation, CPU.device)
            ).psnr_db.mean()
        )
        sizes.append(literal_scan_bytes(of.method.net, data.train, data.validation, CPU.device).mean())
    assert looks[0] < looks[1] < looks[2]
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_q_above_1_gives_levels_that_still_have_codes():
    data = dataset()
    of = training(data=data)
    with torch.no_grad():
        of.method.net.kernels.q.fill_(40.0)
    assert np.isfinite(literal_scan_bytes(of.method.net, data.train, data.validation, CPU.device)).all()


def test_pictures_of_a_trained_colour_transform_are_rebuilt_by_its_inverse():
    data = dataset()
    of = training(data=data, jpeg={"trains_colour": True})
    before = literal_pictures(of.method.net, data.test, CPU.device)
    with torch.no_grad():
        of.method.net.colour.matrix += 0.05 * torch.eye(3)
    after = literal_pictures(of.method.net, data.test, CPU.device)
    assert not np.array_equal(before, after)
    assert likeness(data.test.pixels, after).psnr_db.mean() > likeness(data.test.pixels, before).psnr_db.mean() - 1


def test_accuracy_is_the_share_of_right_labels():
    data = dataset()
    of = training(data=data)
    logits = literal_logits(of.method.net, data.validation, CPU.device)
    assert literal_accuracy(of.method.net, data.validation, CPU) == (logits.argmax(1) == data.validation.labels).mean()
