"""PSNR and SSIM of JPEG files: what a person would see of the pictures. The trainer's one door to scikit-image."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WINDOW_RADIUS = 5  # pixels at each border that a Gaussian window of sigma 1.5, 11 wide, does not fit around
SIGMA = 1.5
CHUNK = 256  # pictures whose maps are held at once


@dataclass(frozen=True)
class Fidelity:
    """Likeness of each decoded picture to its original.

    Args:
        psnr_db: float64 (n,), over all RGB values; a picture without any error counts as one with a single error of 1.
        ssim: float64 (n,), mean over R, G and B (Wang et al. 2004: Gaussian window, sigma 1.5, 11 x 11).
    """

    psnr_db: NDArray[np.float64]
    ssim: NDArray[np.float64]


def fidelity(files: Sequence[bytes], pixels: NDArray[np.uint8]) -> Fidelity:
    """Decode interchange streams as any viewer would, and compare them with their originals in RGB.

    The decoder is libjpeg's with its defaults: inverse DCT, smooth chroma upsampling, values rounded and clipped.

    Args:
        pixels: the originals, uint8 (n, h, w, 3), RGB, sides of at least 11 pixels.
    """
    chunks = [slice(start, start + CHUNK) for start in range(0, len(files), CHUNK)]
    parts = [_of_chunk(files[chunk], pixels[chunk]) for chunk in chunks]
    return _joined(parts)


def likeness(pixels: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> Fidelity:
    """Compare pictures with their originals in RGB, however they were decoded; both uint8 (n, h, w, 3)."""
    chunks = [slice(start, start + CHUNK) for start in range(0, len(pixels), CHUNK)]
    return _joined(
        [Fidelity(_psnr_db(pixels[rows], decoded[rows]), _ssim(pixels[rows], decoded[rows])) for rows in chunks]
    )


def _of_chunk(files: Sequence[bytes], pixels: NDArray[np.uint8]) -> Fidelity:
    return likeness(pixels, np.stack([np.asarray(Image.open(BytesIO(file)).convert("RGB")) for file in files]))


def _joined(parts: Sequence[Fidelity]) -> Fidelity:
    return Fidelity(np.concatenate([part.psnr_db for part in parts]), np.concatenate([part.ssim for part in parts]))


def _psnr_db(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.float64]:
    difference = original.astype(np.float64) - decoded
    squares = (difference**2).sum((1, 2, 3))
    decibels: NDArray[np.float64] = 10 * np.log10(255**2 * difference[0].size / np.maximum(squares, 1))
    return decibels


def _ssim(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.float64]:
    """All pictures in one call, below each other: windows that fit into a picture see nothing of its neighbours."""
    from skimage.metrics import structural_similarity  # noqa: PLC0415  # half a second that only evaluations need

    count, height, width, _ = original.shape
    stacked = (count * height, width, 3)
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        original.reshape(stacked),
        decoded.reshape(stacked),
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    inside = slice(WINDOW_RADIUS, -WINDOW_RADIUS)
    means: NDArray[np.float64] = similarity.reshape(original.shape)[:, inside, inside].mean((1, 2, 3))
    return means
