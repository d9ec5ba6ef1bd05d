"""Claim codes, names, devices' secrets and tokens: how they are made, and the hash that is kept of each."""

import hashlib
import secrets

from shared.wire import CLAIM_ALPHABET, claim_letters

CLAIM_CHARACTERS = 12
DEVICE_ID_CHARACTERS = 8
ROLLOUT_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
ROLLOUT_ID_CHARACTERS = 8


def new_claim_code() -> str:
    """A code of 12 characters (58 bits) in groups of four."""
    letters = "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(CLAIM_CHARACTERS))
    return "-".join(letters[at : at + 4] for at in range(0, CLAIM_CHARACTERS, 4))


def new_voucher_key() -> bytes:
    """A key with which the server signs vouchers: 256 bits."""
    return secrets.token_bytes(32)


def new_device_id() -> str:
    """A public name of 8 characters; it stands in every frame id, so it is short."""
    return "".join(secrets.choice(CLAIM_ALPHABET) for _ in range(DEVICE_ID_CHARACTERS)).lower()


def new_rollout_id() -> str:
    """A rollout's name of 8 characters; by chance, so that no rollout begins with the same devices as another."""
    return "".join(secrets.choice(ROLLOUT_ALPHABET) for _ in range(ROLLOUT_ID_CHARACTERS))


def new_run_id() -> str:
    """A training's name, as rollouts have them."""
    return new_rollout_id()


def claim_sha256(code: str) -> bytes:
    """What is stored of a claim code; case and separators do not matter."""
    return hashlib.sha256(claim_letters(code)).digest()


def secret_sha256(secret: str) -> bytes:
    """What is stored of a device's secret, which has 256 random bits: a plain hash of it cannot be searched."""
    return hashlib.sha256(secret.encode()).digest()


def token_sha256(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("latin-1", "replace")).digest()


def new_request() -> str:
    """A random name for what is asked of a device."""
    return secrets.token_hex(8)
