"""Encoding pictures without a server: what `dctwire-sensor encode` does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.bundle import CENTRE, Bundle, Encoding
from shared.jpeg import Fit, JpegError, Resize, Stream, TableSet, Transcoder, inspect
from shared.pictures import SENSOR_LIMITS, fitted, load_jpeg, load_pixels

SUFFIX_BY_STREAM = {Stream.INTERCHANGE: ".jpg", Stream.ABBREVIATED: ".dwj"}
TABLES_SUFFIX = ".tables.jpg"
LIES = 5
"""From this orientation on, rows and columns change places."""


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """What one picture cost.

    Args:
        interchange_bytes: the size of the same frame with its tables inside.
        is_transcoded: whether it was made of a JPEG's coefficients, not of pixels.
    """

    path: Path
    width: int
    height: int
    stream_bytes: int
    scan_bytes: int
    interchange_bytes: int
    is_transcoded: bool


@dataclass(frozen=True, kw_only=True)
class OfflineSettings:
    """How to encode.

    Args:
        size: (width, height) that the part `fit` of pictures is brought to; None keeps each picture's own.
        transcodes: make frames of a JPEG's coefficients, as `run` does; of its pixels where the codec refuses it.
    """

    encoding: Encoding
    size: tuple[int, int] | None
    fit: Fit = CENTRE
    transcodes: bool = True

    @classmethod
    def of_bundle(cls, bundle: Bundle, *, transcodes: bool = True) -> "OfflineSettings":
        """The encoding, the size and the fit that `bundle` prescribes.

        Raises:
            UnsupportedBundleError: it asks for what this version cannot do.
        """
        size = (bundle.input.width, bundle.input.height)
        return cls(encoding=bundle.encoding, size=size, fit=bundle.fit, transcodes=transcodes)

    @classmethod
    def of_quality(cls, quality: float, *, transcodes: bool = True) -> "OfflineSettings":
        """The standard tables, scaled as the IJG does, 4:2:0, at each picture's own size."""
        return cls(encoding=Encoding(TableSet.standard(quality)), size=None, transcodes=transcodes)


def encode_pictures(
    paths: Iterable[Path], settings: OfflineSettings, stream: Stream, out: Path | None
) -> Iterable[EncodedPicture]:
    """Encode each picture; write `<name>.jpg` (or `.dwj`, abbreviated, beside its tables) below `out`, if given.

    Raises:
        PictureError: a file cannot be read; those before it are done.
        OSError: `out` cannot be written.
    """
    if out is not None:
        _begin(out, settings.encoding.tables, stream)
    for path in paths:
        body, picture = _made(path, settings, stream)
        if out is not None:
            (out / f"{path.stem}{SUFFIX_BY_STREAM[stream]}").write_bytes(body)
        yield picture


def _begin(out: Path, tables: TableSet, stream: Stream) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if stream is not Stream.INTERCHANGE:
        (out / f"{tables.tables_id}{TABLES_SUFFIX}").write_bytes(tables.to_stream())


def _made(path: Path, settings: OfflineSettings, stream: Stream) -> tuple[bytes, EncodedPicture]:
    streams = (stream, Stream.INTERCHANGE)
    transcoded = _transcoded(path, settings, streams)
    body, whole = transcoded or _encoded(path, settings, streams)
    info = inspect(whole)
    return body, EncodedPicture(
        path=path,
        width=info.width,
        height=info.height,
        stream_bytes=len(body),
        scan_bytes=info.scan_bytes,
        interchange_bytes=len(whole),
        is_transcoded=transcoded is not None,
    )


def _encoded(path: Path, settings: OfflineSettings, streams: Sequence[Stream]) -> Sequence[bytes]:
    encoder = settings.encoding.encoder()
    pixels = fitted(load_pixels(path, SENSOR_LIMITS), encoder.tables.sampling, settings.size, settings.fit)
    return [encoder.encode(pixels, stream) for stream in streams]


def _transcoded(path: Path, settings: OfflineSettings, streams: Sequence[Stream]) -> Sequence[bytes] | None:
    """The frames of a JPEG; None where it is no JPEG, or the codec refuses it."""
    data = load_jpeg(path, SENSOR_LIMITS) if settings.transcodes else None
    if data is None:
        return None
    encoding = settings.encoding
    try:
        resize = _upright(data) if settings.size is None else Resize(*settings.size[::-1], settings.fit)
        transcoder = Transcoder(encoding.tables, resize=resize, quantisation=encoding.settings.quantisation())
        return [transcoder.transcode(data, stream) for stream in streams]
    except (JpegError, ValueError):  # a large picture that lies on its side, too
        return None


def _upright(data: bytes) -> Resize | None:
    """The own size of a picture once it is turned; None: it stands upright.

    Raises:
        ValueError: it is too large to be turned.
    """
    info = inspect(data)
    if info.orientation == 1:
        return None
    return Resize(info.width, info.height) if info.orientation >= LIES else Resize(info.height, info.width)
