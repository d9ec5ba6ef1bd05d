"""The quality of an ordinary JPEG by its steps: what a detail's finer look at its frame was quantised with."""

from collections.abc import Mapping
from functools import cache

from shared.jpeg import TableSet, inspect


def quality_of(file: bytes) -> int | None:
    """The IJG quality, 1 to 100, whose annex K steps a 4:2:0 file carries; None where it carries others, or none.

    Raises:
        JpegError: it is no JPEG that the codec reads.
    """
    quant = inspect(file).quant
    return None if quant is None else _by_steps().get(quant)


@cache
def _by_steps() -> Mapping[tuple[bytes, ...], int]:
    return {TableSet.standard(quality).quant: quality for quality in range(1, 101)}
