"""RGB to YCbCr and back: JFIF's full-range BT.601, fixed; and the paper's trainable transform that starts as it."""

import torch
from torch import Tensor, nn

RED, GREEN, BLUE = 0.299, 0.587, 0.114

# Rows Y, Cb, Cr over columns R, G, B (JFIF 1.02, "Conversion to and from RGB").
TO_YCBCR = (
    (RED, GREEN, BLUE),
    (-RED / (2 * (1 - BLUE)), -GREEN / (2 * (1 - BLUE)), 0.5),
    (0.5, -GREEN / (2 * (1 - RED)), -BLUE / (2 * (1 - RED))),
)

# Rows R, G, B over columns Y, Cb, Cr: the inverse.
TO_RGB = (
    (1.0, 0.0, 2 * (1 - RED)),
    (1.0, -2 * BLUE * (1 - BLUE) / GREEN, -2 * RED * (1 - RED) / GREEN),
    (1.0, 2 * (1 - BLUE), 0.0),
)


class TrainableColour(nn.Module):
    """A colour transform that is learned (the paper's JCC-color, section IV.C): 9 coefficients, JFIF's at first.

    Any camera converts with JFIF's matrix, and any JPEG reader undoes that one: a picture coded with another matrix
    needs `inverse` beside it to be looked at.
    """

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor(TO_YCBCR))

    def forward(self, rgb: Tensor) -> Tensor:
        """Convert RGB as `to_ycbcr` does, but with the rows of `matrix` for Y, Cb and Cr."""
        return _mix(rgb, self.matrix)

    def inverse(self) -> Tensor:
        """float (3, 3): what brings the transformed planes back to R, G and B.

        Raises:
            torch.linalg.LinAlgError: training has made two planes the same.
        """
        inverse: Tensor = torch.linalg.inv(self.matrix.detach())
        return inverse


def to_ycbcr(rgb: Tensor) -> Tensor:
    """float (n, 3, h, w) RGB 0..255 to Y 0..255 and Cb, Cr around 0 (their 128 left out)."""
    return _mix(rgb, torch.tensor(TO_YCBCR))


def to_rgb(ycbcr: Tensor) -> Tensor:
    """The inverse of `to_ycbcr`; not clipped."""
    return _mix(ycbcr, torch.tensor(TO_RGB))


def _mix(planes: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("oc,nchw->nohw", matrix.to(planes), planes)
