"""The Authorization header: the bearer token of whoever asks, device or operator."""


def bearer_token(authorization: str) -> str | None:
    """The token in an Authorization header; None where it has none, or one of another scheme (RFC 6750 2.1)."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
