"""PSNR and SSIM: scikit-image's own values, picture by picture, of what Pillow decodes."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from shared.jpeg import Encoder, Stream, TableSet
from trainer.data import SplitName, synthetic
from trainer.evaluation.fidelity import CHUNK, fidelity

PIXELS = synthetic.generate(SplitName.TEST, CHUNK + 20, size=32, seed=4).pixels


def files_of(quality: float, pixels: np.ndarray = PIXELS) -> list[bytes]:
    return Encoder(TableSet.standard(quality)).encode_batch(pixels, Stream.INTERCHANGE)


def test_each_picture_has_the_values_that_scikit_image_gives_it_alone() -> None:
    files = files_of(50)
    measured = fidelity(files, PIXELS)
    for at in (0, 1, CHUNK - 1, CHUNK, len(files) - 1):
        decoded = np.asarray(Image.open(BytesIO(files[at])).convert("RGB"))
        alone = structural_similarity(  # type: ignore[no-untyped-call]
            PIXELS[at],
            decoded,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert measured.ssim[at] == pytest.approx(alone, abs=1e-12)
        psnr_db = peak_signal_noise_ratio(PIXELS[at], decoded, data_range=255)  # type: ignore[no-untyped-call]
        assert measured.psnr_db[at] == pytest.approx(psnr_db)


def test_more_bytes_look_more_like_the_original() -> None:
    coarse, fine = (fidelity(files_of(quality), PIXELS) for quality in (10, 90))
    assert fine.psnr_db.mean() > coarse.psnr_db.mean() + 5
    assert fine.ssim.mean() > coarse.ssim.mean() + 0.1


def test_a_picture_without_error_counts_as_one_with_a_single_error() -> None:
    grey = np.full((1, 32, 32, 3), 128, np.uint8)
    measured = fidelity(files_of(50, grey), grey)
    assert measured.psnr_db[0] == pytest.approx(10 * np.log10(255**2 * 32 * 32 * 3))
    assert measured.ssim[0] == pytest.approx(1)
