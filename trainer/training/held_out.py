"""How good a run is on validation pictures while it is at work."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.encoding.encodings import dequantised
from trainer.encoding.streams import Levels
from trainer.training.compute import Compute

EVALUATION_BATCH = 512


@dataclass(frozen=True)
class HeldOut:
    """Figures on validation pictures: share of right labels, and mean scan bytes of a frame."""

    accuracy: float
    scan_bytes: float


@torch.no_grad()
def accuracy(net: nn.Module, levels: Levels, steps: Tensor, compute: Compute) -> float:
    """Share of frames whose label the net finds, in float32; each process looks at some of them."""
    net.eval()
    steps = steps.to(compute.device)
    right = 0
    for start in range(compute.rank * EVALUATION_BATCH, len(levels), compute.world * EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        logits = net(dequantised(levels.planes(rows).to(compute.device), steps))
        right += int((logits.argmax(1).cpu() == levels.labels[rows]).sum())
    return compute.sum(right) / len(levels)
