"""The token that follows from a device's claim code and secret: the server gives it, and the device checks it."""

import base64
import hmac

CLAIM_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0, 1, I, L, O, U: the code is read from a screen and typed."""
TOKEN_BYTES = 16


def claim_letters(code: str) -> bytes:
    """What of a claim code as typed counts: case and separators do not."""
    return "".join(character for character in code.upper() if character in CLAIM_ALPHABET).encode()


def session_token(secret: str, code: str) -> str:
    """The token of the device that joined with this secret and claim code: 128 bits in 22 characters.

    It follows from the two, so that any process gives it again to the device whose first answer was lost, and none
    has to keep it. HMAC (RFC 2104) tells nothing of the secret.
    """
    digest = hmac.digest(secret.encode(), b"dctwire session token " + claim_letters(code), "sha256")
    return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).rstrip(b"=").decode()
