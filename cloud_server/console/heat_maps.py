"""Tables of 8 x 8 frequencies as pictures: which number and which shade stands where, and the same in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.bundle import Bundle, EncoderSettings
from shared.bundle.encoding import NEAREST

SIDE = 8
SHADES = 8
"""Of steps, each for twice the step of the one before: 1, 2 to 3, 4 to 7, ... 128 to 255."""
COMPONENTS = ("luma (Y)", "chroma (Cb)", "chroma (Cr)")
BOTH_CHROMA = "chroma (Cb and Cr)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One frequency: `column` is the horizontal one, `row` the vertical one, both from 0; `shade` is 0 to 7."""

    column: int
    row: int
    text: str
    shade: int
    is_masked: bool


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A table; `description` has every number, row by row, for whoever does not see it."""

    title: str
    description: str
    cells: Sequence[Cell]


def step_maps(bundle: Bundle) -> Sequence[HeatMap]:
    """The quantisation steps of luma and of chroma; those of Cb and Cr together where they are equal."""
    settings = bundle.settings
    return [
        _map(
            f"Quantisation steps of {name}",
            list(bundle.tables.quant[of]),
            _shade_of_step,
            settings.zero_mask[of].tolist(),
        )
        for name, of in _components(bundle)
    ]


def rounding_maps(bundle: Bundle) -> Sequence[HeatMap]:
    """Where rounding begins, in 1/128 step, of each component; none where all round to the nearest."""
    settings = bundle.settings
    if (settings.dead_zone == NEAREST).all():
        return []
    return [
        _map(
            f"Rounding of {name}, in 1/128 of a step",
            settings.dead_zone[of].tolist(),
            _shade_of_offset,
            settings.zero_mask[of].tolist(),
        )
        for name, of in _components(bundle)
    ]


def encoder_facts(settings: EncoderSettings) -> Sequence[str]:
    """What an encoder does beside dividing by the steps, in sentences; nothing of what it does not do."""
    facts = []
    masked = [int(settings.zero_mask[of].sum()) for of in range(len(COMPONENTS))]
    if any(masked):
        counts = ", ".join(f"{count} of 64 in {name}" for count, name in zip(masked, COMPONENTS, strict=True))
        facts.append(f"Some frequencies are never coded: {counts}.")
    if (settings.dead_zone < NEAREST).any():
        facts.append("Small coefficients are rounded to zero more often than to the nearest: a wider dead zone.")
    if settings.rdo_weights is not None:
        facts.append("Levels that are not worth their bits are lowered (rate-distortion optimised quantisation).")
    return facts


def _components(bundle: Bundle) -> Sequence[tuple[str, int]]:
    """Which components are shown, and by which name."""
    settings = bundle.settings
    is_equal = (
        bundle.tables.quant[1] == bundle.tables.quant[2]
        and (settings.zero_mask[1] == settings.zero_mask[2]).all()
        and (settings.dead_zone[1] == settings.dead_zone[2]).all()
    )
    return [(COMPONENTS[0], 0), (BOTH_CHROMA, 1)] if is_equal else [*zip(COMPONENTS, range(3), strict=True)]


def _map(title: str, values: Sequence[int], shade: Callable[[int], int], mask: Sequence[bool]) -> HeatMap:
    """The table of 64 values in natural order, (8, 8) by vertical and horizontal frequency."""
    cells = [Cell(at % SIDE, at // SIDE, str(value), shade(value), mask[at]) for at, value in enumerate(values)]
    rows = [" ".join(map(_told, cells[start : start + SIDE])) for start in range(0, len(cells), SIDE)]
    return HeatMap(title, f"Row by row, from low to high vertical frequency: {'; '.join(rows)}.", cells)


def _told(cell: Cell) -> str:
    return "never-coded" if cell.is_masked else cell.text


def _shade_of_step(step: int) -> int:
    """Each shade stands for twice the step of the one before."""
    return step.bit_length() - 1


def _shade_of_offset(offset: int) -> int:
    """The wider the dead zone, the darker: 0 rounds to the nearest, 7 drops nearly all below a whole step."""
    return (NEAREST - offset) * (SHADES - 1) // NEAREST
