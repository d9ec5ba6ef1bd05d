"""Errors of the sensor beyond the shared ones."""

from shared.errors import RefusedError


class UnauthorisedError(RefusedError):
    """The server does not take this device's token, or its claim code: only a person can help."""


class TablesWantedError(RefusedError):
    """The server does not know the tables of this frame: it takes the frame once its tables are put back."""
