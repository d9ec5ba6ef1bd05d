"""The quality of an ordinary JPEG by its steps: what a detail's finer look at its frame was quantised with."""

from collections.abc import Mapping
from functools import cache

from shared.jpeg import TableSet, inspect

REFERENCE_QUALITY_LEAST = 50
"""No detail of a coarser quality is kept: 50 is annex K as printed, and coarser steps than those are no reference.

A step of tables can be learned where it is at least twice the detail's, so a detail of a quality below tells less than
frames of ordinary tables do.
"""


def quality_of(file: bytes) -> int | None:
    """The IJG quality, 1 to 100, whose annex K steps a 4:2:0 file carries; None where it carries others, or none.

    Raises:
        JpegError: it is no JPEG that the codec reads.
    """
    quant = inspect(file).quant
    return None if quant is None else _by_steps().get(quant)


def is_reference(file: bytes) -> bool:
    """Whether a file has the steps of a quality that is fine enough for tables to be learned from it.

    Raises:
        JpegError: it is no JPEG that the codec reads.
    """
    quality = quality_of(file)
    return quality is not None and quality >= REFERENCE_QUALITY_LEAST


@cache
def _by_steps() -> Mapping[tuple[bytes, ...], int]:
    return {TableSet.standard(quality).quant: quality for quality in range(1, 101)}
