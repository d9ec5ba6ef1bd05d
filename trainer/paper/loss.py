"""The paper's loss: cross-entropy + lambda * a penalty of the kernels that stands for bits (section III.B)."""

from torch import Tensor

from trainer.diff_jpeg import hinge_l1_penalty, l2_penalty
from trainer.recipes.paper import L2, HingeL1

C_TIMES_WEIGHT = 0.01  # section IV.B: c = 0.01 / lambda


def weighted_penalty(q: Tensor, penalty: HingeL1 | L2, weight: float) -> Tensor:
    """lambda * L_quan of the kernels (3, 64), a scalar.

    Args:
        weight: lambda.
    """
    if isinstance(penalty, L2):
        return weight * l2_penalty(q)
    c = C_TIMES_WEIGHT / weight if penalty.c is None else penalty.c
    return weight * hinge_l1_penalty(q, c, penalty.l1_weight)
