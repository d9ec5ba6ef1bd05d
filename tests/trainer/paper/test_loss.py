"""The paper's loss: lambda times its penalties, c by its rule unless given."""

import pytest
import torch

from trainer.paper.loss import weighted_penalty
from trainer.recipes.paper import L2, HingeL1

Q = torch.full((3, 64), 0.5)


def test_c_is_a_hundredth_over_lambda() -> None:
    """Figure 5: lambda = 0.001, lambda1 = 1 and c = 10."""
    rule, given = HingeL1(kind="hinge-l1", weight=0.001), HingeL1(kind="hinge-l1", weight=0.001, c=10.0)
    for q in (Q, 4 * Q, 10 * Q):
        assert weighted_penalty(q, rule, 0.001) == weighted_penalty(q, given, 0.001)
    assert weighted_penalty(Q, rule, 0.001) == pytest.approx(0.001 * 192 * 0.5)
    assert weighted_penalty(Q, rule, 0.1) == pytest.approx(0.1 * 192 * (0.25 - 0.1 + 0.5))


def test_l2_is_lambda_times_the_sum_of_squares() -> None:
    assert weighted_penalty(Q, L2(kind="l2", weight=1.0), 50.0) == 50 * 192 * 0.25
