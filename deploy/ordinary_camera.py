"""What most people have today: ordinary JPEG files, posted one by one. The demo's baseline, measured like the rest."""

import http.client
import io
import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

TIMEOUT_SECONDS = 30.0


class OrdinaryCamera:
    """Posts each picture as the JPEG file that Pillow saves, over one connection, with as few headers as it can."""

    def __init__(self, server: str, claim_code: str, quality: float) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=TIMEOUT_SECONDS)
        joining = {"claim_code": claim_code, "secret": secrets.token_urlsafe(32)}
        enrolment = self._ask("POST", "/v1/devices", json.dumps(joining).encode())
        self._device_id = enrolment["device_id"]
        self.token = enrolment["token"]
        self._headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "image/jpeg"}
        self._quality = quality

    def post(self, pictures: Sequence[Path]) -> Iterator[int]:
        """Post each picture, then tell its true label (its folder's name); yields the size of each file in bytes."""
        for sequence, path in enumerate(pictures):
            file = self._jpeg_file(path)
            self._ask("POST", "/v1/frames", file, {**self._headers, "DW-Sequence": str(sequence)})
            label = json.dumps({"label": path.parent.name, "source": "audit"}).encode()
            headers = {**self._headers, "Content-Type": "application/json"}
            self._ask("PUT", f"/v1/frames/{self._device_id}.{sequence}/label", label, headers)
            yield len(file)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _jpeg_file(self, path: Path) -> bytes:
        out = io.BytesIO()
        with Image.open(path) as picture:
            picture.convert("RGB").save(out, "JPEG", quality=self._quality)
        return out.getvalue()

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> dict[str, str]:
        sent = headers or {"Content-Type": "application/json"}
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {**sent, "Content-Length": str(len(body))}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {content.decode(errors='replace')}")
        return json.loads(content) if content else {}
