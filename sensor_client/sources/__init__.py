"""Where pictures come from: one module for each kind of source."""

from sensor_client.sources.health import Condition, SourceHealth, SourceReport, Stillness
from sensor_client.sources.opening import SourceSettings, SourceSurroundings
from sensor_client.sources.registry import open_source
from sensor_client.sources.shot import Camera, Shot, SourceError, SourceOverError, UnknownSourceError
from sensor_client.sources.standard_input import PIPES

__all__ = [
    "PIPES",
    "Camera",
    "Condition",
    "Shot",
    "SourceError",
    "SourceHealth",
    "SourceOverError",
    "SourceReport",
    "SourceSettings",
    "SourceSurroundings",
    "Stillness",
    "UnknownSourceError",
    "open_source",
]
