"""Glyph masks of the synthetic data set, from the fonts that ship with matplotlib: the same on every machine."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Crockford's base 32: no I, L, O or U, so no two classes look alike in some font.
ALPHABET = tuple("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

# Only text fonts; symbol, display and old-style-figure fonts lack or disguise some characters.
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralBolIta",
    "STIXGeneralItalic",
    "cmb10",
    "cmr10",
    "cmss10",
    "cmti10",
    "cmtt10",
)

CELL = 64  # pixels a side of a mask
CAP_HEIGHT = 36  # pixels of a capital H in it: the widest W of the boldest font still fits


@cache
def masks() -> NDArray[np.float32]:
    """Coverage 0..1 of every glyph, float32 (fonts, characters, CELL, CELL), each centred in its cell."""
    folder = fonts_folder()
    fonts = [_with_cap_height(folder / f"{name}.ttf") for name in FONTS]
    return np.stack([np.stack([_mask(font, character) for character in ALPHABET]) for font in fonts])


def fonts_folder() -> Path:
    """Where matplotlib keeps its fonts; found without loading it, which takes its time."""
    package = find_spec("matplotlib")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "mpl-data" / "fonts" / "ttf"


def _with_cap_height(path: Path) -> ImageFont.FreeTypeFont:
    _, top, _, bottom = ImageFont.truetype(path, 100).getbbox("H")
    return ImageFont.truetype(path, 100 * CAP_HEIGHT / (bottom - top))


def _mask(font: ImageFont.FreeTypeFont, character: str) -> NDArray[np.float32]:
    left, top, right, bottom = font.getbbox(character)
    cell = Image.new("L", (CELL, CELL))
    origin = ((CELL - left - right) / 2, (CELL - top - bottom) / 2)
    ImageDraw.Draw(cell).text(origin, character, fill=255, font=font)
    return np.asarray(cell, dtype=np.float32) / np.float32(255)
