"""Encoding pictures without a server: what `dctwire-sensor encode` does."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.bundle import CENTRE, Bundle, Encoding
from shared.jpeg import Fit, Stream, TableSet, inspect
from shared.pictures import fitted, load_pixels

SUFFIX_BY_STREAM = {Stream.INTERCHANGE: ".jpg", Stream.ABBREVIATED: ".dwj"}
TABLES_SUFFIX = ".tables.jpg"


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """What one picture cost. `interchange_bytes` is the size of the same frame with its tables inside."""

    path: Path
    width: int
    height: int
    stream_bytes: int
    scan_bytes: int
    interchange_bytes: int


@dataclass(frozen=True, kw_only=True)
class OfflineSettings:
    """How to encode, and the (width, height) to bring the part `fit` of pictures to; None keeps each picture's own."""

    encoding: Encoding
    size: tuple[int, int] | None
    fit: Fit = CENTRE

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "OfflineSettings":
        """The encoding, the size and the fit that `bundle` prescribes.

        Raises:
            UnsupportedBundleError: it asks for what this version cannot do.
        """
        return cls(encoding=bundle.encoding, size=(bundle.input.width, bundle.input.height), fit=bundle.fit)

    @classmethod
    def of_quality(cls, quality: float) -> "OfflineSettings":
        """The standard tables, scaled as the IJG does, 4:2:0, at each picture's own size."""
        return cls(encoding=Encoding(TableSet.standard(quality)), size=None)


def encode_pictures(
    paths: Iterable[Path], settings: OfflineSettings, stream: Stream, out: Path | None
) -> Iterable[EncodedPicture]:
    """Encode each picture; write `<name>.jpg` (or `.dwj`, abbreviated, beside its tables) below `out`, if given.

    Raises:
        PictureError: a file cannot be read; those before it are done.
        OSError: `out` cannot be written.
    """
    encoder = settings.encoding.encoder()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        if stream is not Stream.INTERCHANGE:
            (out / f"{encoder.tables.tables_id}{TABLES_SUFFIX}").write_bytes(encoder.tables.to_stream())
    for path in paths:
        pixels = fitted(load_pixels(path), encoder.tables.sampling, settings.size, settings.fit)
        body = encoder.encode(pixels, stream)
        if out is not None:
            (out / f"{path.stem}{SUFFIX_BY_STREAM[stream]}").write_bytes(body)
        yield EncodedPicture(
            path=path,
            width=pixels.shape[1],
            height=pixels.shape[0],
            stream_bytes=len(body),
            scan_bytes=inspect(body).scan_bytes,
            interchange_bytes=len(encoder.encode(pixels, Stream.INTERCHANGE)),
        )
