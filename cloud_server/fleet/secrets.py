"""Claim codes and session tokens: what is handed out once, and the hash that is kept."""

import hashlib
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


def new_token() -> str:
    """An opaque session token: 128 bits in 22 characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_device_id() -> str:
    """A public name of 8 characters; it stands in every frame id, so it is short."""
    return "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(DEVICE_ID_CHARACTERS)).lower()


def claim_sha256(code: str) -> bytes:
    """What is stored of a claim code; case and separators do not matter."""
    letters = "".join(character for character in code.upper() if character in CLAIM_ALPHABET)
    return hashlib.sha256(letters.encode()).digest()


def token_sha256(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()
