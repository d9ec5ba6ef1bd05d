"""Claim codes, devices' secrets and session tokens: how they are made, and the hash that is kept of each."""

import base64
import hashlib
import hmac
import secrets

CLAIM_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0, 1, I, L, O, U: the code is read from a screen and typed."""
CLAIM_CHARACTERS = 12
TOKEN_BYTES = 16
DEVICE_ID_CHARACTERS = 8


def new_claim_code() -> str:
    """A code of 12 characters (58 bits) in groups of four."""
    letters = "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(CLAIM_CHARACTERS))
    return "-".join(letters[at : at + 4] for at in range(0, CLAIM_CHARACTERS, 4))


def session_token(secret: str, code: str) -> str:
    """The token of the device that joined with this secret and claim code: 128 bits in 22 characters.

    It follows from the two, so that any process gives it again to the device whose first answer was lost, and none
    has to keep it. HMAC (RFC 2104) tells nothing of the secret.
    """
    digest = hmac.digest(secret.encode(), b"dctwire session token " + _letters(code), "sha256")
    return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).rstrip(b"=").decode()


def new_device_id() -> str:
    """A public name of 8 characters; it stands in every frame id, so it is short."""
    return "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(DEVICE_ID_CHARACTERS)).lower()


def claim_sha256(code: str) -> bytes:
    """What is stored of a claim code; case and separators do not matter."""
    return hashlib.sha256(_letters(code)).digest()


def secret_sha256(secret: str) -> bytes:
    """What is stored of a device's secret, which has 256 random bits: a plain hash of it cannot be searched."""
    return hashlib.sha256(secret.encode()).digest()


def token_sha256(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


def _letters(code: str) -> bytes:
    return "".join(character for character in code.upper() if character in CLAIM_ALPHABET).encode()
