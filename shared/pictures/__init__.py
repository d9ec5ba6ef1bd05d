"""Picture files as camera and trainer read them, by one rule: upright, as 8-bit RGB, or refused by name."""

from shared.pictures.errors import PictureError, shown
from shared.pictures.fitting import Pixels, fitted
from shared.pictures.limits import SENSOR_LIMITS, TRAINER_LIMITS, PictureLimits
from shared.pictures.reading import (
    RULES,
    SUFFIXES,
    Part,
    load_jpeg,
    load_part,
    load_pixels,
    read_pixels,
)

__all__ = [
    "RULES",
    "SENSOR_LIMITS",
    "SUFFIXES",
    "TRAINER_LIMITS",
    "Part",
    "PictureError",
    "PictureLimits",
    "Pixels",
    "fitted",
    "load_jpeg",
    "load_part",
    "load_pixels",
    "read_pixels",
    "shown",
]
