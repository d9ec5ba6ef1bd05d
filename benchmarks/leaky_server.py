"""The server with a leak, for the control of `benchmarks.soak`: it keeps 1 KiB a request; nothing else differs."""

from collections.abc import Sequence
from typing import Any

from cloud_server import command, parts
from cloud_server.inference.frames import Frame
from cloud_server.inference.ingest import Ingest

LEAK_BYTES = 1024
KEPT: list[bytearray] = []


class LeakyIngest(Ingest):
    """Answers frames as its parent does, and never forgets that it did."""

    async def answer(self, device: Any, frames: Sequence[Frame], *arguments: Any, **named: Any) -> Any:
        """As the parent's."""
        KEPT.append(bytearray(LEAK_BYTES))
        return await super().answer(device, frames, *arguments, **named)


def main() -> None:
    """`dctwire-server` with the leak."""
    parts.Ingest = LeakyIngest  # type: ignore[attr-defined]
    command.main()
