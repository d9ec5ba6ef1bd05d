"""Picture files as camera and trainer read them, by one rule: upright, as 8-bit RGB, or refused by name."""

from shared.pictures.errors import PictureError, shown
from shared.pictures.fitting import Pixels, fitted
from shared.pictures.reading import PIXEL_LIMIT, RULES, SUFFIXES, Part, load_part, load_pixels

__all__ = [
    "PIXEL_LIMIT",
    "RULES",
    "SUFFIXES",
    "Part",
    "PictureError",
    "Pixels",
    "fitted",
    "load_part",
    "load_pixels",
    "shown",
]
