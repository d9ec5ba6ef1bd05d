"""Camera pictures of one character each: natural-statistics background, pose, colour, blur and sensor noise.

Everything random about picture `i` of a split comes from a counter-based generator keyed with (seed, split, i), and
pictures are always computed in aligned chunks of `CHUNK`: a picture does not depend on how many others are asked for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainer.data import glyphs
from trainer.diff_jpeg.colour import to_rgb

CHUNK = 256
UNIFORMS = 44  # uniform draws a picture; a few are spare
EDGES = 3


@dataclass(frozen=True)
class Chunk:
    """Pictures uint8 (CHUNK, size, size, 3) RGB with labels int64 (CHUNK,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


class _Draws:
    """Named use of each picture's uniform draws, in the order of the calls."""

    def __init__(self, uniforms: NDArray[np.float32]) -> None:
        self._uniforms = torch.from_numpy(uniforms)
        self._next = 0

    def between(self, low: float, high: float) -> Tensor:
        """float32 (n, 1, 1), uniform in [low, high)."""
        column = self._uniforms[:, self._next]
        self._next += 1
        return (low + (high - low) * column)[:, None, None]

    def between_log(self, low: float, high: float) -> Tensor:
        """float32 (n, 1, 1), uniform in the logarithm."""
        return self.between(float(np.log(low)), float(np.log(high))).exp()

    def below(self, count: int) -> Tensor:
        """int64 (n,), uniform in 0..count-1."""
        return self.between(0, count).long().flatten().clamp_(max=count - 1)


def render(size: int, seed: int, split: int, chunk: int) -> Chunk:
    """Pictures chunk*CHUNK .. chunk*CHUNK + CHUNK-1 of a split."""
    uniforms, normals = _randomness(size, seed, split, chunk)
    draws = _Draws(uniforms)
    labels = draws.below(len(glyphs.ALPHABET))
    fields = torch.from_numpy(normals)
    luma, cb, cr = _background(draws, fields[:, :3], size)
    coverage = _coverage(draws, labels, size)
    planes = _paint(draws, (luma, cb, cr), coverage)
    rgb = to_rgb(_blur(draws, planes, size))
    noisy = _sensor(draws, rgb, fields[:, 3:])
    pixels = noisy.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    return Chunk(pixels.numpy(), labels.numpy())


def _randomness(size: int, seed: int, split: int, chunk: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    uniforms = np.empty((CHUNK, UNIFORMS), np.float32)
    normals = np.empty((CHUNK, 6, size, size), np.float32)
    for row in range(CHUNK):
        key = np.array([seed, (split << 56) | (chunk * CHUNK + row)], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        generator.random(dtype=np.float32, out=uniforms[row])
        generator.standard_normal(dtype=np.float32, out=normals[row])
    return uniforms, normals


def _background(draws: _Draws, white: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """1/f^a fields with correlated chroma, a ramp, and straight soft edges; Y 0..255, chroma around 0."""
    texture = _natural(white, draws.between(0.9, 1.5), size)
    strength = draws.between_log(5, 24)
    shared = texture[:, 0]
    luma = draws.between(55, 200) + strength * shared
    cb = draws.between(-22, 22) + strength * (0.50 * texture[:, 1] - 0.20 * shared)
    cr = draws.between(-22, 22) + strength * (0.45 * texture[:, 2] + 0.15 * shared)
    x, y = _grid(size)
    luma = luma + draws.between(-35, 35) * x + draws.between(-35, 35) * y
    for _ in range(EDGES):
        angle, offset = draws.between(0, 2 * np.pi), draws.between(-1.2, 1.2)
        side = torch.sigmoid((x * angle.cos() + y * angle.sin() - offset) * draws.between_log(4, 40))
        luma = luma + draws.between(-45, 45) * side
        cb = cb + draws.between(-24, 24) * side
        cr = cr + draws.between(-24, 24) * side
    return luma, cb, cr


def _natural(white: Tensor, slope: Tensor, size: int) -> Tensor:
    """White fields (n, 3, size, size) given an amplitude spectrum 1/f^slope, each of unit variance."""
    spectrum = torch.fft.rfft2(white) * _frequency(size).clamp(min=1 / size)[None, None] ** -slope[:, None]
    spectrum[..., 0, 0] = 0
    field = torch.fft.irfft2(spectrum, s=(size, size))
    unit: Tensor = field / field.std(dim=(2, 3), keepdim=True)
    return unit


def _coverage(draws: _Draws, labels: Tensor, size: int) -> Tensor:
    """How much of each pixel the character covers, float32 (n, size, size), sampled at twice the resolution."""
    library = torch.from_numpy(glyphs.masks())
    mask = library[draws.below(len(glyphs.FONTS)), labels][:, None]
    x, y = _grid(2 * size)
    angle = draws.between(-0.35, 0.35)
    cap = draws.between(0.42, 0.75)  # cap height as a share of the picture
    zoom = glyphs.CAP_HEIGHT / glyphs.CELL / cap
    room = (0.95 - cap).clamp(min=0)
    x = x - draws.between(-0.8, 0.8) * room
    y = y - draws.between(-0.8, 0.8) * room
    depth = 1 + draws.between(-0.2, 0.2) * x + draws.between(-0.2, 0.2) * y
    across = (x * angle.cos() + y * angle.sin()) * draws.between_log(0.8, 1.25) + draws.between(-0.25, 0.25) * y
    down = y * angle.cos() - x * angle.sin()
    place = torch.stack([across * zoom / depth, down * zoom / depth], dim=-1)
    fine = functional.grid_sample(mask, place, mode="bilinear", padding_mode="zeros", align_corners=False)
    return functional.avg_pool2d(fine, 2)[:, 0]


def _paint(draws: _Draws, planes: tuple[Tensor, Tensor, Tensor], coverage: Tensor) -> Tensor:
    """Put the character's ink over the background; float32 (n, 3, size, size) as Y, Cb, Cr."""
    luma, cb, cr = planes
    under = (coverage * luma).sum((1, 2), keepdim=True) / coverage.sum((1, 2), keepdim=True).clamp(min=1e-3)
    contrast = draws.between(40, 120)
    darker = (draws.between(0, 1) < 0.5) & (under - contrast > 8) | (under + contrast > 247)
    ink = torch.where(darker, under - contrast, under + contrast)
    ink_cb, ink_cr = draws.between(-40, 40), draws.between(-40, 40)
    grain = 0.25  # share of the background's texture that shows on the ink
    luma = luma + coverage * (ink + grain * (luma - under) - luma)
    cb = cb + coverage * (ink_cb + grain * cb - cb)
    cr = cr + coverage * (ink_cr + grain * cr - cr)
    return torch.stack([luma, cb, cr], dim=1)


def _blur(draws: _Draws, planes: Tensor, size: int) -> Tensor:
    """A lens: Gaussian of 0.3 to 0.9 pixels at 32 pixels, the same share of the picture at other sizes."""
    sigma = draws.between(0.3, 0.9) * (size / 32)
    margin = size // 8  # the Fourier transform joins opposite borders: keep the seam outside the picture
    wide = functional.pad(planes, (margin,) * 4, mode="reflect")
    response = torch.exp(-2 * (np.pi * sigma * _frequency(size + 2 * margin)) ** 2)
    blurred = torch.fft.irfft2(torch.fft.rfft2(wide) * response[:, None], s=wide.shape[-2:])
    inner: Tensor = blurred[..., margin:-margin, margin:-margin]
    return inner


def _sensor(draws: _Draws, rgb: Tensor, white: Tensor) -> Tensor:
    """Read noise and shot noise: variance constant plus proportional to light."""
    read = draws.between_log(3, 14)[:, None]
    shot = draws.between(0, 0.3)[:, None]
    return rgb + white * (read**2 + shot * rgb.clamp(min=0)).sqrt()


def _grid(size: int) -> tuple[Tensor, Tensor]:
    """Pixel centres x, y in -1..1, float32 (1, size, size) each."""
    centres = (torch.arange(size, dtype=torch.float32) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return x[None], y[None]


def _frequency(size: int) -> Tensor:
    """Cycles a pixel of each rfft2 bin, float32 (size, size // 2 + 1)."""
    down = torch.fft.fftfreq(size)[:, None]
    across = torch.fft.rfftfreq(size)[None]
    return torch.sqrt(down**2 + across**2)
