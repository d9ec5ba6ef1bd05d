"""JPEG's lossy steps in torch: differentiable, with constants from `shared.jpeg`, and held to the codec by tests.

Channel layout everywhere: luma (n, 64, h/8, w/8), chroma (n, 128, h/16, w/16) as Cb's 64 then Cr's 64, frequencies in
natural (row-major) order, 4:2:0, height and width multiples of 16.
"""

from trainer.diff_jpeg.colour import TrainableColour
from trainer.diff_jpeg.kernels import CompliantTables, ReciprocalKernels, hinge_l1_penalty, l2_penalty
from trainer.diff_jpeg.quantise import QuantTables
from trainer.diff_jpeg.rate import RateModel
from trainer.diff_jpeg.transform import Planes, coefficients, reconstruct

__all__ = [
    "CompliantTables",
    "Planes",
    "QuantTables",
    "RateModel",
    "ReciprocalKernels",
    "TrainableColour",
    "coefficients",
    "hinge_l1_penalty",
    "l2_penalty",
    "reconstruct",
]
