"""How many bytes of a kind may still be spent in this hour: a bucket that fills evenly. Pure but for what it holds."""

HOUR_SECONDS = 3600.0


class Allowance:
    """Bytes an hour, by the program's uptime. It begins empty: a program that starts again and again spends nothing."""

    def __init__(self, at_seconds: float) -> None:
        self._bytes = 0.0
        self._at_seconds = at_seconds

    def take(self, count: int, bytes_per_hour: int, at_seconds: float) -> bool:
        """Whether `count` bytes may be spent now; they are, then. Never more than an hour's worth is saved up."""
        filled = self._bytes + (at_seconds - self._at_seconds) * bytes_per_hour / HOUR_SECONDS
        self._bytes, self._at_seconds = min(filled, float(bytes_per_hour)), at_seconds
        may = count <= self._bytes
        self._bytes -= count * may
        return may
