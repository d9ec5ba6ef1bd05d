"""What can go wrong on the edge beyond the shared tree."""

from shared.errors import RefusedError


class UnauthorisedError(RefusedError):
    """The server does not know this device's token, or the claim code: only a person can help."""


class TablesWantedError(RefusedError):
    """The server does not know the tables of this frame: it takes the frame once its tables are put back."""
