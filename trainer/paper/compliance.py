"""Real kernels as what a camera can do: integer tables, dead entries left out, Huffman codes of their own."""

from trainer import streams
from trainer.data import Split
from trainer.diff_jpeg import ReciprocalKernels
from trainer.encoding import EncoderSettings, Encoding
from trainer.encodings import of_steps


def encoding_of(kernels: ReciprocalKernels, fit_on: Split) -> Encoding:
    """The encoding nearest to the kernels.

    Args:
        fit_on: training pictures that the Huffman codes are fitted to; every other frame stays encodable.
    """
    tables = kernels.compliant()
    settings = EncoderSettings.nearest(mask=tables.dropped.cpu().numpy())
    return streams.with_fitted_huffman(of_steps(tables.steps, lambda _steps: settings), fit_on)
