"""The memory that request bodies take, of all requests together: bounded, from a body's first byte to its answer."""

from cloud_server.errors import QueueFullError


class BodyMemory:
    """How many bytes of request bodies are in memory, and how many may be."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held_bytes = 0

    def check(self, size: int) -> None:
        """Check that there is room for `size` more bytes.

        Raises:
            QueueFullError: there is not.
        """
        if self.held_bytes + size > self._max_bytes:
            raise QueueFullError(f"requests of {self.held_bytes} bytes are being answered")

    def reserve(self, size: int) -> None:
        """Reserve `size` bytes; raises as `check` does."""
        self.check(size)
        self.held_bytes += size

    def release(self, size: int) -> None:
        """Release `size` bytes that were reserved."""
        self.held_bytes -= size
