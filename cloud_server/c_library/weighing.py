"""The weights of squared errors in whole numbers, for an encoder without floating point. Pure.

The codec weighs in doubles (`shared/jpeg/native/src/encoding/rdo.rs`). All its terms are multiples of one small power
of two. Where none of its sums can reach 2^53 of them, doubles are exact, and so are 64-bit integers: both decide alike.
"""

from collections.abc import Sequence
from typing import ClassVar

from cloud_server.c_library.tables import codes, numbers, shared_in_c
from shared.bundle import EncoderSettings
from shared.errors import PeerError
from shared.jpeg import ZIGZAG, HuffmanTable, TableSet

EXACT = 2**53
"""Every whole number up to this one is a double."""
ENERGY_MAX = 2**26 + 2**17
"""The most that the squares of a block's coefficients times 8 add up to: 64 samples of 128, and the DCT's roundings."""
BITS_MAX = 63 * (3 * 16 + 26)
"""More bits than any block takes."""
LIMIT_MAX = 2**31 - 1


class UnsupportedInCError(PeerError):
    """A bundle with which the C library could not make the bytes that the codec makes."""

    code: ClassVar[str] = "unsupported-in-c"


def weighings_in_c(tables: TableSet, settings: EncoderSettings) -> str:
    """What errors are worth, by component; a switch alone where bits are not weighed.

    Raises:
        UnsupportedInCError: the weights of one component lie too far apart.
    """
    if settings.rdo_weights is None:
        return "#define WEIGHS_BITS 0 /* levels are rounded, and that is all */\n"
    made = []
    for component in range(3):
        ac = tables.huffman[2 * min(component, 1) + 1]
        made.append(_weighing(component, read_weights(settings, component), tables.quant[component], ac))
    return f"{_DECLARATION}\n{shared_in_c('weighing', made)}"


_DECLARATION = """\
#define WEIGHS_BITS 1

/* What a unit of squared error is worth, in units of which a bit has 2^unit_bits; and below which excess a level may be
 * lowered. */
typedef struct {
    uint32_t worths[BLOCK];
    int32_t lowering_limits[BLOCK];
    uint8_t unit_bits;
} weighing;
"""


def _weighing(component: int, weight_codes: bytes, steps: bytes, ac: HuffmanTable) -> str:
    worths, unit_bits = whole_worths(weight_codes)
    if max(worths) * ENERGY_MAX + (BITS_MAX << unit_bits) > EXACT:
        raise UnsupportedInCError(
            f"the weights of component {component} lie too far apart for whole numbers of 53 bits: the largest may be "
            f"about 2^23 times the least that is not 0"
        )
    saved = most_saved_by_lowering(ac)
    limits = [lowering_limit(saved, worths[index], unit_bits, 8 * steps[index]) for index in ZIGZAG]
    by_position = [worths[index] for index in ZIGZAG]
    return f"    {{{numbers(by_position)},\n     {numbers(limits)},\n     {unit_bits}}}"


def read_weights(settings: EncoderSettings, component: int) -> bytes:
    """The codes of the weights that an encoder reads, and 0 for DC's and for those of masked frequencies.

    A frequency that nobody codes may weigh next to nothing, and would lie too far from the others.
    """
    assert settings.rdo_weights is not None
    weights, mask = settings.rdo_weights[component].tobytes(), settings.zero_mask[component].tobytes()
    return bytes(0 if index == 0 or mask[index] else weight for index, weight in enumerate(weights))


def whole_worths(weight_codes: Sequence[int]) -> tuple[list[int], int]:
    """What squared errors of coefficients times 8 are worth in units of 2^-n bits, and n, which is as small as can be.

    A code of upper five bits e and lower three bits m weighs (8 + m) 2^(e - 24), and the square of 8 is 2^6.
    """
    parts = [(8 + (code & 7), (code >> 3) - 30) if code else (0, 0) for code in weight_codes]
    unit_bits = max([0, *(_lowest_bit(exponent, mantissa) for mantissa, exponent in parts if mantissa)])
    return [mantissa * 2 ** (exponent + unit_bits + 4) // 16 for mantissa, exponent in parts], unit_bits


def _lowest_bit(exponent: int, mantissa: int) -> int:
    """How many binary digits behind the point a number needs."""
    while mantissa % 2 == 0:
        mantissa, exponent = mantissa // 2, exponent + 1
    return -exponent


def most_saved_by_lowering(ac: HuffmanTable) -> int:
    """The most bits that a level of one binary digit less saves after the same run."""
    lengths = {symbol: length + (symbol & 15) for symbol, (_, length) in codes(ac).items()}
    runs = range(16)
    saved = [lengths[run << 4 | size] - lengths[run << 4 | size - 1] for run in runs for size in range(2, 11)]
    return max(0, *saved)


def lowering_limit(saved: int, worth: int, unit_bits: int, step: int) -> int:
    """Only below this excess may lowering be worth it; as the codec computes it, in doubles."""
    if worth == 0:
        return LIMIT_MAX if saved else 0
    return min(LIMIT_MAX, int(saved / (worth / 2**unit_bits) / step))
