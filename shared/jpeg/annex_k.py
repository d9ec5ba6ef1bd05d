"""The example steps of T.81 annex K and the quality scaling of the Independent JPEG Group."""

from typing import Final

# Natural (row by row) index of each zig-zag position, T.81 figure 5.
ZIGZAG: Final[tuple[int, ...]] = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
)  # fmt: skip

# Tables K.1 and K.2, natural order.
LUMA_STEPS: Final[tuple[int, ...]] = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMA_STEPS: Final[tuple[int, ...]] = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)  # fmt: skip


def scaled_steps(base: tuple[int, ...], quality: float) -> bytes:
    """64 steps of 1..255 for an IJG quality of 1 to 100; fractions such as 12.5 are allowed.

    Raises:
        ValueError: the quality is outside 1 to 100.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"a quality of {quality} is outside 1 to 100")
    percent = int(5000 / quality if quality < 50 else 200 - 2 * quality)
    return bytes(min(max((step * percent + 50) // 100, 1), 255) for step in base)
