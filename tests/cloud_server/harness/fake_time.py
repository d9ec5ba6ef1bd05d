"""An event loop whose clock the test moves."""

import asyncio


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def time(self) -> float:
        return self.seconds

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and run what is due."""
        self.seconds += seconds
        self.call_soon(self.stop)
        self.run_forever()
        self.call_soon(self.stop)
        self.run_forever()
