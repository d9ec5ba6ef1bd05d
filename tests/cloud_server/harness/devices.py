"""Enrolled devices that post frames."""

import secrets
from dataclasses import dataclass

import httpx


def joining(claim_code: str, secret: str = "") -> dict[str, str]:
    """What a device sends to join; without a secret, with a new one."""
    return {"claim_code": claim_code, "secret": secret or secrets.token_urlsafe(32)}


@dataclass
class Device:
    """An enrolled device with an HTTP client of its own."""

    http: httpx.Client
    device_id: str
    token: str
    family: str
    next_sequence: int = 0

    def post(
        self,
        data: bytes,
        sequence: int | None = None,
        headers: dict[str, str] | None = None,
        path: str = "/v1/frames",
    ) -> httpx.Response:
        """Upload one frame; without a number, the next one."""
        if sequence is None:
            sequence, self.next_sequence = self.next_sequence, self.next_sequence + 1
        return self.http.post(
            path,
            content=data,
            headers={"dw-sequence": str(sequence), "content-type": "image/jpeg"} | (headers or {}),
        )
