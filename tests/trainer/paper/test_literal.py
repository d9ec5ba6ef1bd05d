"""Literal figures: what real steps give, and that integer ones give what the codec gives."""

from dataclasses import replace

import numpy as np
import torch

from tests.trainer.paper.small import CPU, dataset, training
from tests.trainer.present import present
from trainer.data import Split, SplitName, noise
from trainer.encoding import streams
from trainer.evaluation.fidelity import likeness
from trainer.paper.compliance import encoding_of
from trainer.paper.evaluation import measure_literal
from trainer.paper.literal import CHUNK, literal_accuracy, literal_logits, literal_pictures, literal_scan_bytes
from trainer.recipes.goals import StandardGoal
from trainer.training.run_dir import Asked, Finished, Summary


def test_with_integer_steps_literal_bytes_are_the_codecs_but_for_stuffing_and_the_transforms_rounding() -> None:
    data = dataset()
    of = training(StandardGoal(quality=50), data)
    literal = literal_scan_bytes(of.method.net, data.train, data.validation, CPU.device)
    real = streams.scan_bytes(encoding_of(of.method.net.kernels, data.train), data.validation.pixels)
    assert abs(literal.mean() / real.mean() - 1) < 0.01
    assert np.abs(literal - real).max() <= 0.05 * real.mean()


def test_real_steps_are_not_rounded_and_finer_ones_look_better_and_cost_more() -> None:
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


def test_a_q_above_1_gives_levels_that_still_have_codes() -> None:
    data = dataset()
    of = training(data=data)
    with torch.no_grad():
        of.method.net.kernels.q.fill_(40.0)
    assert np.isfinite(literal_scan_bytes(of.method.net, data.train, data.validation, CPU.device)).all()


def test_pictures_of_a_trained_colour_transform_are_rebuilt_by_its_inverse() -> None:
    data = dataset()
    of = training(data=data, jpeg={"trains_colour": True})
    before = literal_pictures(of.method.net, data.test, CPU.device)
    with torch.no_grad():
        present(of.method.net.colour).matrix.add_(0.05 * torch.eye(3))
    after = literal_pictures(of.method.net, data.test, CPU.device)
    assert not np.array_equal(before, after)
    assert likeness(data.test.pixels, after).psnr_db.mean() > likeness(data.test.pixels, before).psnr_db.mean() - 1


def test_accuracy_is_the_share_of_right_labels() -> None:
    data = dataset()
    of = training(data=data)
    logits = literal_logits(of.method.net, data.validation, CPU.device)
    assert literal_accuracy(of.method.net, data.validation, CPU) == (logits.argmax(1) == data.validation.labels).mean()


def test_codes_are_those_of_the_training_pictures_all_of_them_and_not_of_the_measured_ones() -> None:
    data = dataset()
    model = training(StandardGoal(quality=50), data).method.net
    flat = np.zeros((CHUNK, 32, 32, 3), np.uint8)
    measured = Split(noise.pictures(48, 32, 32), np.zeros(48, np.int64))
    late = Split(np.concatenate([flat, measured.pixels]), np.zeros(CHUNK + 48, np.int64))
    of_flat, of_late, of_measured = (
        literal_scan_bytes(model, fit_on, measured, CPU.device).sum()
        for fit_on in (Split(flat, np.zeros(CHUNK, np.int64)), late, measured)
    )
    assert of_measured <= of_late < 0.95 * of_flat


def test_a_runs_literal_bytes_have_the_codes_of_its_training_pictures() -> None:
    data = replace(dataset(), test=Split(noise.pictures(64, 32, 32), np.zeros(64, np.int64)))
    method = training(StandardGoal(quality=50), data).method
    asked = Asked(recipe=method.recipe, goal=method.goal, data=data.name)
    summary = Summary(
        data=data.name, tables="", validation_accuracy=0, scan_bytes=1, n=1, epochs=1, parameters=1, seconds=0
    )
    run = Finished(asked, summary, method.finished_encoding(), method.net.state_dict())
    measured = measure_literal(run, method.net, data, SplitName.TEST)
    of_train, of_test = (
        literal_scan_bytes(method.net, fit_on, data.test, CPU.device).mean() for fit_on in (data.train, data.test)
    )
    assert measured.scan_bytes == of_train > 1.02 * of_test
