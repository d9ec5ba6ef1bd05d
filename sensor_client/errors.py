"""Errors of the sensor beyond the shared ones."""

from shared.errors import RefusedError


class UnauthorisedError(RefusedError):
    """The server does not take this device's token, or its claim code: only a person can help."""


class NumberTakenError(RefusedError):
    """Another frame of this device has the number: frames that wait take numbers above `highest_sequence`."""

    def __init__(self, status: int, code: str, detail: str, highest_sequence: int) -> None:
        super().__init__(status, code, detail)
        self.highest_sequence = highest_sequence


class TablesWantedError(RefusedError):
    """The server does not know the tables of this frame: it takes the frame once its tables are put back."""
