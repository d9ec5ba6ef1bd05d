"""A program that webhooks are sent to: a real HTTP server that keeps what it got, and answers as it is told."""

import contextlib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from examples.webhook_receiver import verified
from tests.cloud_server.harness.waiting import wait_until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + "QUJD" * 8


@dataclass(frozen=True)
class Received:
    """One request: its headers in small letters, its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """What names the message."""
        return self.headers["webhook-id"]

    def said(self, *secrets: str) -> dict[str, Any]:
        """The message, once its signature was found to be by one of these secrets."""
        told: dict[str, Any] = verified(self.headers, self.body, secrets or (SECRET,))
        return told


Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (204, {}, b"")


class Receiver:
    """Listens on a port of its own.

    Args:
        answer: what to answer to the request with this number, from 0; it may take its time.
        certificate: and its key, to speak TLS.
    """

    def __init__(
        self, answer: Callable[[int], Answer] = lambda _: OK, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.got: list[Received] = []
        self.connections: set[tuple[str, int]] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                with receiver._lock:
                    receiver.connections.add(self.client_address)
                    number = len(receiver.got)
                    receiver.got.append(Received(headers, body))
                status, more, said = answer(number)
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # whoever asked waits no longer
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/hook"

    def kinds(self) -> list[str]:
        """What it was told of, in order."""
        return [received.said()["type"] for received in list(self.got)]

    def wait_for(self, count: int, seconds: float = 30.0) -> list[Received]:
        """What it got, once that is so much."""
        wait_until(lambda: len(self.got) >= count, seconds)
        return list(self.got)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def webhooks_file(folder: Path, **urls: str) -> Path:
    """A file of endpoints by their names, each signed with `SECRET`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text(SECRET + "\n")
    tables = [f'[[endpoint]]\nname = "{name}"\nurl = "{url}"\nsecret_file = "secret"\n' for name, url in urls.items()]
    file = folder / "webhooks.toml"
    file.write_text("\n".join(tables))
    return file
