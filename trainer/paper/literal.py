"""The paper's own figures: real steps 1/q in place of the integers that a stream carries.

Levels are integers all the same, so that their bits can be counted by the codec, with codes fitted to such levels.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.jpeg import Encoder, SymbolCounts, TableSet
from trainer.data import Split
from trainer.diff_jpeg import Planes, reconstruct
from trainer.diff_jpeg.colour import to_rgb
from trainer.diff_jpeg.quantise import rounded
from trainer.paper.joint_model import JointModel
from trainer.training.compute import Compute

CHUNK = 512
LARGEST_LEVEL = 1023  # that 8-bit baseline has codes for (T.81 F.1.2); only a q above 1 could go beyond


def literal_accuracy(model: JointModel, split: Split, compute: Compute) -> float:
    """Share of pictures whose label the model finds; each process looks at some of them."""
    right = 0
    for rows in _chunks(split)[compute.rank :: compute.world]:
        part = split.take(rows)
        right += int((literal_logits(model, part, compute.device).argmax(1) == part.labels).sum())
    return compute.sum(right) / len(split)


@torch.no_grad()
def literal_logits(model: JointModel, split: Split, device: torch.device) -> NDArray[np.float32]:
    """float32 (n, classes)."""
    model.eval()
    parts = [model(pixels).float().cpu().numpy() for pixels in _pixels(split, device)]
    return np.concatenate(parts)


@torch.no_grad()
def literal_scan_bytes(model: JointModel, fit_on: Split, split: Split, device: torch.device) -> NDArray[np.int64]:
    """Bytes that each picture's levels take in a scan, int64 (n,), but for the zeros stuffed behind FF bytes.

    Args:
        fit_on: training pictures that the Huffman codes are fitted to.
    """
    counts = SymbolCounts()
    for y, c in _levels(model, fit_on, device):
        counts.add(y, c)
    encoder = Encoder(TableSet.standard().with_huffman(counts.tables()))
    bits = [encoder.scan_bits_batch(y, c) for y, c in _levels(model, split, device)]
    return np.ceil(np.concatenate(bits) / 8).astype(np.int64)


@torch.no_grad()
def literal_pictures(model: JointModel, split: Split, device: torch.device) -> NDArray[np.uint8]:
    """What a viewer would rebuild with the real steps and JFIF's colours, or the trained ones' inverse."""
    return np.concatenate([_rgb(model, model.dequantised(pixels)) for pixels in _pixels(split, device)])


def _rgb(model: JointModel, dequantised: Planes) -> NDArray[np.uint8]:
    ycbcr = reconstruct(dequantised)
    rgb = to_rgb(ycbcr) if model.colour is None else torch.einsum("oc,nchw->nohw", model.colour.inverse(), ycbcr)
    return rgb.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def _levels(
    model: JointModel, split: Split, device: torch.device
) -> Iterator[tuple[NDArray[np.int16], NDArray[np.int16]]]:
    for pixels in _pixels(split, device):
        levels = rounded(model.kernels.scaled(model.coefficients(pixels)))
        yield _int16(levels.y), _int16(levels.c)


def _int16(levels: Tensor) -> NDArray[np.int16]:
    return levels.clamp(-LARGEST_LEVEL, LARGEST_LEVEL).to(torch.int16).cpu().numpy()


def _pixels(split: Split, device: torch.device) -> Iterator[Tensor]:
    for rows in _chunks(split):
        yield torch.from_numpy(split.take(rows).pixels).to(device)


def _chunks(split: Split) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, len(split), CHUNK)]
