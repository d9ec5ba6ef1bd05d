"""Pictures that another program writes into a pipe: MJPEG, PPM and PGM, or frames with their length before them."""

import os
import threading
from collections.abc import Callable, Generator, Iterator

from sensor_client.logs import get_logger
from sensor_client.sources.handover import Handover
from sensor_client.sources.opening import SourceSettings, SourceSurroundings
from sensor_client.sources.read_shot import ReadShot
from sensor_client.sources.shot import SourceError
from sensor_client.sources.splitting import FRAME_LIMIT_BYTES, LengthSplitter, Splitter, splitter_for

PIPES = ADDRESS, FRAMES_ADDRESS = "-", "stdin:frames"
PIECE_BYTES = 64 * 1024
NAME = "standard input"

_log = get_logger(__name__)


class StandardInput:
    """A camera that ends where its input ends. Nothing is passed over unless `keeps_newest`: the pipe waits."""

    shot_count = None

    def __init__(
        self, descriptor: int, around: SourceSurroundings, *, splitter: Splitter | None, keeps_newest: bool
    ) -> None:
        """Nothing is read yet.

        Args:
            descriptor: open for reading.
            splitter: None to know it by how the input begins.
        """
        self._descriptor = descriptor
        self._around = around
        self._splitter = splitter
        self._keeps_newest = keeps_newest

    def shots(self, stop: threading.Event) -> Generator[ReadShot, None, None]:
        """See `Camera`. The reader waits in the pipe for as long as nothing comes; a stop leaves it behind."""
        health = self._around.health
        handover = Handover(self._read, keeps_newest=self._keeps_newest, dropped=health.drop)
        try:
            yield from handover.taken(stop)
        except OSError as error:
            health.lost(f"{NAME}: {error.strerror or error}")

    def _read(self) -> Iterator[ReadShot]:
        splitter = self._splitter
        pieces = iter(lambda: os.read(self._descriptor, PIECE_BYTES), b"")
        bytes_since_picture = damages = 0
        for piece in pieces:
            splitter = splitter or splitter_for(piece)
            bytes_since_picture += len(piece)
            for picture in splitter.pictures(piece):
                bytes_since_picture = 0
                yield self._shot(picture)
            damages = _told(splitter, damages)
            if bytes_since_picture > FRAME_LIMIT_BYTES:
                bytes_since_picture = 0
                self._around.health.lost(f"{NAME}: no picture in {FRAME_LIMIT_BYTES} bytes; is it MJPEG, PPM or PGM?")
        rest = None if splitter is None else splitter.rest()
        if rest is not None:
            yield self._shot(rest)

    def _shot(self, picture: bytes) -> ReadShot:
        return ReadShot(picture, NAME, captured_at=self._around.clock.now())


def _told(splitter: Splitter, before: int) -> int:
    if splitter.damages > before:
        _log.warning("stream-damaged", source=NAME, times=splitter.damages)
    return splitter.damages


def open_standard_input(address: str, settings: SourceSettings, around: SourceSurroundings) -> StandardInput | None:
    """A camera for `-` (MJPEG, PPM or PGM) or `stdin:frames`; None for another address.

    Raises:
        SourceError: standard input is a terminal, or closed.
    """
    splitters: dict[str, Callable[[], Splitter | None]] = {ADDRESS: lambda: None, FRAMES_ADDRESS: LengthSplitter}
    if address not in splitters:
        return None
    descriptor = around.input_descriptor
    _check(descriptor)
    return StandardInput(descriptor, around, splitter=splitters[address](), keeps_newest=settings.keeps_newest)


def _check(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError as error:
        raise SourceError(f"{NAME} is closed: pipe a camera's pictures into it") from error
    if os.isatty(descriptor):
        raise SourceError(f"{NAME} is a terminal: pipe a camera's pictures into it, such as rpicam-vid ... -o - |")
