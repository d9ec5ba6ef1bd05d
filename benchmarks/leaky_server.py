"""The server with a leak, for the control of `benchmarks.soak`: it keeps one frame in ten; nothing else differs."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from cloud_server import app
from cloud_server.inference.ingest import Frame, Ingest

KEPT: list[bytes] = []
ONE_IN = 10


class LeakyIngest(Ingest):
    """Answers frames as its parent does, and never forgets some."""

    _calls = count()

    async def answer(self, device: Any, frames: Sequence[Frame], *arguments: Any, **named: Any) -> Any:
        """As the parent's."""
        KEPT.extend(bytes(bytearray(frame.data)) for frame in frames if next(self._calls) % ONE_IN == 0)
        return await super().answer(device, frames, *arguments, **named)


def main() -> None:
    """`dctwire-server` with the leak."""
    app.Ingest = LeakyIngest  # type: ignore[attr-defined]
    app.main()
