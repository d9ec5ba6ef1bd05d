"""A bundle as a C library, for cameras that run no Python."""

from cloud_server.c_library.source import CSource, c_source

__all__ = ["CSource", "c_source"]
