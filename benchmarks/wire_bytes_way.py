"""Ways to the server that the bytes of a frame are counted on: straight to it, or through nginx with TLS and HTTP/2."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from benchmarks.counting_relay import CountingRelay
from benchmarks.pinned_server import PinnedServer
from tests.cloud_server.harness.certificates import write_certificate
from tests.ports import free_ports

START_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.02
HEADER_BYTES: Final = 5
HIDDEN_BYTES: Final = 17
"""In each protected record of TLS 1.3, besides its header: the content's type, and a tag (RFC 8446 5.2)."""

CONFIGURATION: Final = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    log_format protocol '$server_protocol $status'; access_log {folder}/access.log protocol;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server_tokens off; keepalive_requests 1000000;
    upstream dctwire {{ server {server}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
        client_max_body_size 32m;
        location / {{
            proxy_pass http://dctwire; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        }}
    }}
}}
"""


class RecordCount:
    """Adds up, from the headers of TLS records as they pass in one direction, what is not the protocol's own bytes."""

    def __init__(self) -> None:
        self.overhead_bytes = 0
        self._head = b""
        self._left = 0

    def see(self, data: bytes) -> None:
        """Take note of bytes as they come, however they are divided up."""
        while data:
            skipped = min(self._left, len(data))
            self._left -= skipped
            data = data[skipped:]
            wanted = HEADER_BYTES - len(self._head)
            if self._left or not data:
                continue
            self._head += data[:wanted]
            data = data[wanted:]
            if len(self._head) == HEADER_BYTES:
                self._left = int.from_bytes(self._head[3:], "big")
                self._head = b""
                self.overhead_bytes += HEADER_BYTES + HIDDEN_BYTES


class TlsRelay(CountingRelay):
    """Counts the same, TLS records apart: what is left is what HTTP itself writes and reads. For one connection."""

    def __init__(self, server: tuple[str, int]) -> None:
        super().__init__(server)
        self._there, self._back = RecordCount(), RecordCount()

    @property
    def overhead_bytes(self) -> int:
        """What TLS added so far, both ways; nothing that was said before the first request counts rightly."""
        return self._there.overhead_bytes + self._back.overhead_bytes

    def _count_request(self, data: bytes) -> None:
        super()._count_request(data)
        self._there.see(data)

    def _count_reply(self, data: bytes) -> None:
        super()._count_reply(data)
        self._back.see(data)


@contextmanager
def nginx(folder: Path, server: PinnedServer) -> Iterator[tuple[tuple[str, int], str, Path]]:
    """nginx in front of a server, with TLS 1.3 and HTTP/2: its address, its certificate (PEM), its list of requests."""
    folder.mkdir()
    certificate, key = write_certificate(folder, "127.0.0.1")
    (port,) = free_ports(1)
    host = "{}:{}".format(*server.device_address)
    text = CONFIGURATION.format(folder=folder, server=host, port=port, certificate=certificate, key=key)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        _await(f"https://127.0.0.1:{port}/livez", process)
        yield ("127.0.0.1", port), certificate.read_text(), folder / "access.log"
    finally:
        process.terminate()
        process.wait()


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url, verify=False, trust_env=False)
        except httpx.TransportError:
            time.sleep(LOOK_SECONDS)
        else:
            return
    raise RuntimeError("nginx does not answer")
