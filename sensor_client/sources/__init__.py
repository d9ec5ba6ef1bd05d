"""Where pictures come from: one module for each kind of source."""

from sensor_client.sources.registry import open_source
from sensor_client.sources.shot import Camera, Shot, SourceError, UnknownSourceError

__all__ = ["Camera", "Shot", "SourceError", "UnknownSourceError", "open_source"]
