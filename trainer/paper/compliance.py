"""Real kernels as what a camera can do: integer tables, dead entries left out, Huffman codes of their own."""

from trainer.data import Split
from trainer.diff_jpeg import ReciprocalKernels
from trainer.encoding import streams
from trainer.encoding.encodings import of_steps
from trainer.encoding.files import EncoderSettings, Encoding


def encoding_of(kernels: ReciprocalKernels, fit_on: Split) -> Encoding:
    """The encoding nearest to the kernels.

    Args:
        fit_on: training pictures that the Huffman codes are fitted to; every other frame stays encodable.
    """
    tables = kernels.compliant()
    settings = EncoderSettings.nearest(mask=tables.dropped.cpu().numpy())
    return streams.with_fitted_huffman(of_steps(tables.steps, lambda _steps: settings), fit_on)
