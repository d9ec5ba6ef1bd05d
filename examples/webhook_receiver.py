"""A program that dctwire tells of changes and events, with Python's standard library alone: verify, then believe.

    python3 webhook_receiver.py --secret-file pager.secret --port 8090

prints a line for each message, once. The file holds the secrets that the server signs with, one a line; during a
rotation both sides know the old and the new one. docs/webhooks.md says what messages look like.

Whatever a receiver does: it verifies the signature over the bytes as they came, before it reads them; it refuses what
was sent minutes ago, for somebody may have kept it; it answers 2xx soon, and does slow work afterwards; and it passes
over ids that it has seen, for a message may come twice.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BODY_MAX_BYTES = 1 << 20
LATE_MAX_SECONDS = 300.0
IDS_KEPT = 10_000


class UnverifiedError(Exception):
    """Nobody who knows a secret has sent this, or not just now."""


def verified(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float | None = None) -> Any:
    """The message in a body, once a signature of it is found to be by one of the secrets.

    Args:
        headers: by their names in small letters.
        secrets: each as `whsec_` and base64.
        now: seconds since 1970; None asks the clock.

    Raises:
        UnverifiedError: none is, or it was sent more than five minutes from now.
    """
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs((time.time() if now is None else now) - int(sent_at)) > LATE_MAX_SECONDS:
        raise UnverifiedError("it was not sent just now")
    signed = f"{message_id}.{sent_at}.".encode() + body
    given = [one.removeprefix("v1,") for one in headers.get("webhook-signature", "").split() if one.startswith("v1,")]
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(right, one) for one in given):
            return json.loads(body)
    raise UnverifiedError("no signature is by a secret that is known here")


def receiver(port: int, secrets: Sequence[str]) -> ThreadingHTTPServer:
    """An HTTP server on loopback that prints what it is told; 0 takes any free port."""
    seen: dict[str, None] = {}

    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdecimal() or int(length) > BODY_MAX_BYTES:
                self._answer(413)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                message = verified(headers, self.rfile.read(int(length)), secrets)
            except UnverifiedError as error:
                print(f"refused: {error}", file=sys.stderr, flush=True)
                self._answer(401)
                return
            if headers["webhook-id"] not in seen:
                seen[headers["webhook-id"]] = None
                print(f"{message['timestamp']} {message['type']} {json.dumps(message['data'])}", flush=True)
            while len(seen) > IDS_KEPT:
                del seen[next(iter(seen))]
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Listen until interrupted."""
    parser = argparse.ArgumentParser(description="Print what dctwire's webhooks tell.")
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8090)
    given = parser.parse_args()
    with receiver(given.port, given.secret_file.read_text().split()) as server:
        print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
