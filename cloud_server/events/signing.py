"""Signatures of webhooks, as Standard Webhooks has them: HMAC-SHA256 over id, time and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import ClassVar

from shared.errors import DctwireError

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
SECRETS_MAX = 4
"""More secrets at a time than a rotation needs."""


class WebhookSecretError(DctwireError):
    """A text holds no secrets of webhooks. It is not repeated."""

    code: ClassVar[str] = "webhook-secret"


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The secrets in a text, one a line: `whsec_` and 24 to 64 bytes in base64.

    Raises:
        WebhookSecretError: there is none, too many, or a line is something else.
    """
    lines = text.split()
    if not 1 <= len(lines) <= SECRETS_MAX:
        raise WebhookSecretError(f"there must be 1 to {SECRETS_MAX} secrets, one a line; here are {len(lines)}")
    return tuple(_secret(line, number) for number, line in enumerate(lines, 1))


def signed_headers(message_id: str, at_seconds: int, body: bytes, secrets: Sequence[bytes]) -> Mapping[str, str]:
    """The headers that a webhook carries, with a signature by each secret.

    Args:
        at_seconds: when it is sent, since 1970.
    """
    content = b".".join((message_id.encode(), str(at_seconds).encode(), body))
    digests = (hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }


def _secret(line: str, number: int) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(PREFIX), validate=True) if line.startswith(PREFIX) else b""
    except binascii.Error:
        secret = b""
    if len(secret) not in SECRET_BYTES:
        raise WebhookSecretError(
            f"line {number} is no secret: it must be {PREFIX} and {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes in "
            f'base64; make one with: echo "{PREFIX}$(openssl rand -base64 32)"'
        )
    return secret
