"""Errors of the sensor beyond the shared ones."""

from shared.errors import ChannelError, RefusedError


class NobodyReadItError(ChannelError):
    """No server looked at what was to be sent: no connection, no right, no room, no budget, or somebody else's answer.

    So the failure is not that of what was to be sent.
    """


class BodyTooLargeError(ChannelError):
    """Something between this device and its server takes no body of this size; the server itself was not asked."""


class LineTimeoutError(ChannelError):
    """The line or its server was too slow for this exchange."""


class OverBudgetError(NobodyReadItError):
    """The byte budget does not allow this now; nothing was sent."""

    def __init__(self, purpose: str, wait_seconds: float) -> None:
        super().__init__(f"the byte budget allows no more for {purpose} now", wait_seconds)


class UnauthorisedError(NobodyReadItError):
    """The server does not take this device's token: what was to be sent stays, until it does again."""


class ClaimRefusedError(RefusedError):
    """The server does not take this claim code, or not with this device's secret."""


class NumberTakenError(RefusedError):
    """Another frame of this device has the number: frames that wait take numbers above `highest_sequence`."""

    def __init__(self, status: int, code: str, detail: str, highest_sequence: int) -> None:
        super().__init__(status, code, detail)
        self.highest_sequence = highest_sequence


class NumberTooHighError(NumberTakenError):
    """The number is too far above those that the server has: frames that wait take those behind `highest_sequence`."""


class TablesWantedError(RefusedError):
    """The server does not know the tables of this frame: it takes the frame once its tables are put back."""
