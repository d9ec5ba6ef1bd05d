"""What can go wrong on the edge beyond the shared tree."""

from shared.errors import RefusedError


class UnauthorisedError(RefusedError):
    """The server does not know this device's token, or the claim code: only a person can help."""
