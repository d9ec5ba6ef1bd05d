"""A small real HTTP proxy (RFC 9110 7.6, 9.3.6): forwards requests, tunnels connections, notes what it was asked."""

import http.client
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


class HttpProxy:
    """Listens on a port of its own. With `refusal`, a status, it forwards nothing.

    Args:
        only_host: where it sends everything, whatever host a request names.
    """

    def __init__(self, only_host: str = "127.0.0.1", refusal: int | None = None) -> None:
        proxy = self
        self.asked: list[str] = []
        self._only_host = only_host
        self._refusal = refusal

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                proxy.tunnel(self)

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                proxy.forward(self)

            do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """What HTTP_PROXY is to hold."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def forward(self, request: BaseHTTPRequestHandler) -> None:
        """Pass a request on and its answer back."""
        self.asked.append(f"{request.command} {request.path}")
        if self._refusal is not None:
            return _refuse(request, self._refusal)
        url = urlsplit(request.path)
        server = http.client.HTTPConnection(self._only_host, url.port or 80, timeout=30)
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        server.request(request.command, url.path + (f"?{url.query}" if url.query else ""), body, dict(request.headers))
        answer = server.getresponse()
        data = answer.read()
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                request.send_header(name, value)
        if answer.status != 204:
            request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
        server.close()
        return None

    def tunnel(self, request: BaseHTTPRequestHandler) -> None:
        """Join two connections."""
        self.asked.append(f"CONNECT {request.path}")
        if self._refusal is not None:
            return _refuse(request, self._refusal)
        request.close_connection = True
        with socket.create_connection((self._only_host, int(request.path.rpartition(":")[2])), timeout=30) as server:
            request.send_response(200)
            request.end_headers()
            ends = {server: request.connection, request.connection: server}
            while True:
                for end in select.select(list(ends), [], [], 30)[0]:
                    data = end.recv(65536)
                    if not data:
                        return None
                    ends[end].sendall(data)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _refuse(request: BaseHTTPRequestHandler, status: int) -> None:
    request.close_connection = True
    request.send_response(status)
    request.send_header("content-type", "text/html")
    request.send_header("content-length", "0")
    request.send_header("connection", "close")
    request.end_headers()
