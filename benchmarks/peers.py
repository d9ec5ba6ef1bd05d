"""The codec's peers by name and version. They are no dependencies of dctwire, only of its `[bench]` extra."""

from importlib.metadata import version

from PIL import features

from benchmarks import libjpeg_shim


def versions() -> str:
    """Debian's libjpeg-turbo, and what PyPI's packages bring."""
    packages = [f"{name} {version(name)}" for name in ("jpeg2dct-numpy", "jpeglib", "pyjpegio", "simplejpeg", "pillow")]
    in_pillow = f"its libjpeg-turbo {features.version_feature('libjpeg_turbo')}"
    return ", ".join([libjpeg_shim.version(), *packages, in_pillow])
