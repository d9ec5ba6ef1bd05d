"""Operators' tokens: how they are made, and the hash that is kept of each."""

import hashlib
import secrets

TOKEN_PREFIX = "dwo_"  # noqa: S105 - what every token begins with, so that one that leaked is recognised
TOKEN_BYTES = 24
TOKEN_ID_BYTES = 4
TOKEN_DAYS = 90
"""How long a token lets its operator in, unless whoever makes it says otherwise."""
OWN = "self"
"""Stands for the id of the token with which one calls."""


def new_token() -> str:
    """192 random bits in 32 letters, digits, dashes and underscores, after the prefix."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def new_token_id() -> str:
    """A token's name, with which lists and commands call it: 8 hex digits, which tell nothing of the token."""
    return secrets.token_hex(TOKEN_ID_BYTES)


def token_sha256(token: str) -> bytes:
    """What is stored of a token: it has so many random bits that a plain hash of it cannot be searched."""
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


SESSION_BYTES = 24
CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""What one-time codes are written with: nothing that is taken for something else."""
CODE_LENGTH, CODE_GROUP = 20, 5
"""20 letters of 30 are 98 random bits."""


def new_session_token() -> str:
    """What a browser's cookie holds: 192 random bits."""
    return secrets.token_urlsafe(SESSION_BYTES)


def new_session_id() -> str:
    """A session's name, with which lists call it; unlike a token's it begins with an s."""
    return "s" + secrets.token_hex(TOKEN_ID_BYTES)


def new_login_code() -> str:
    """A one-time code for a person to type or paste: letters and digits in groups, joined by dashes."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    return "-".join(letters[at : at + CODE_GROUP] for at in range(0, CODE_LENGTH, CODE_GROUP))


def code_sha256(code: str) -> bytes:
    """What is stored of a one-time code, however it was typed: in small letters, without dashes, with spaces."""
    return token_sha256("".join(letter for letter in code.upper() if letter in CODE_LETTERS))
