"""A bundle's tables as constant arrays of C. Pure."""

from collections.abc import Iterable, Sequence

from shared.bundle import EncoderSettings
from shared.jpeg import ZIGZAG, HuffmanTable, TableSet

NEVER = 65535
"""A divisor that no dividend reaches."""
DEAD_ZONE_UNITS = 128  # of a step
AC_SYMBOLS = [run << 4 | size for run in range(16) for size in range(1, 11)] + [0x00, 0xF0]
_COLUMNS = 120


def prefix_in_c(prefix: bytes) -> str:
    """What stands before a scan."""
    return f"const uint8_t dctwire_NAME_prefix[DCTWIRE_NAME_PREFIX_BYTES] = {numbers(prefix)};\n"


def quantisers_in_c(tables: TableSet, settings: EncoderSettings) -> str:
    """Divisors and offsets of coefficients times 8; components that have the same share them."""
    made = [_quantiser(tables, settings, component) for component in range(3)]
    return shared_in_c("quantiser", made)


def divisors(tables: TableSet, settings: EncoderSettings, component: int) -> list[int]:
    """What coefficients times 8 are divided by, by position; `NEVER` where the level is always zero."""
    steps, mask = tables.quant[component], settings.zero_mask[component].tobytes()
    return [NEVER if mask[index] else 8 * steps[index] for index in ZIGZAG]


def codes_in_c(tables: TableSet) -> str:
    """The codes of luma, then those of chroma."""
    made = []
    for dc, ac in (tables.huffman[:2], tables.huffman[2:]):
        of_dc, of_ac = codes(dc), codes(ac)
        rows = [[of_dc[size] for size in range(12)], [of_ac[symbol] for symbol in AC_SYMBOLS]]
        columns = [[code for code, _ in row] for row in rows] + [[length for _, length in row] for row in rows]
        made.append(struct(columns))
    return f"static const code_table code_tables[2] = {{\n{_listed(made)}}};\n"


def codes(table: HuffmanTable) -> dict[int, tuple[int, int]]:
    """Each symbol's code and its length in bits (T.81 annex C)."""
    found, code, symbols = {}, 0, iter(table.symbols)
    for length, count in enumerate(table.counts, start=1):
        for _ in range(count):
            found[next(symbols)] = code, length
            code += 1
        code <<= 1
    return found


def shared_in_c(kind: str, made: Sequence[str]) -> str:
    """An array of structures of a kind, each of them once, and which of them each component has."""
    distinct = list(dict.fromkeys(made))
    places = ", ".join(str(distinct.index(one)) for one in made)
    return (
        f"static const {kind} {kind}s[{len(distinct)}] = {{\n{_listed(distinct)}}};\n"
        f"static const uint8_t {kind}_of[COMPONENTS] = {{{places}}};\n"
    )


def struct(fields: Iterable[Iterable[int]]) -> str:
    """A structure of arrays."""
    return "    {" + ",\n     ".join(map(numbers, fields)) + "}"


def numbers(values: Iterable[int]) -> str:
    """An array's content, in lines that fit."""
    lines = [""]
    for value in values:
        word = f"{value}, "
        if len(lines[-1]) + len(word) > _COLUMNS - 6:
            lines.append("")
        lines[-1] += word
    return "{" + "\n      ".join(line.rstrip() for line in lines).rstrip(",") + "}"


def _listed(structs: Sequence[str]) -> str:
    return ",\n".join(structs)


def _quantiser(tables: TableSet, settings: EncoderSettings, component: int) -> str:
    steps, zone = tables.quant[component], settings.dead_zone[component].tobytes()
    offsets = [8 * steps[index] * zone[index] // DEAD_ZONE_UNITS for index in ZIGZAG]
    return struct([divisors(tables, settings, component), offsets])
