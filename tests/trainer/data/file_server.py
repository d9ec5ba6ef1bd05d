"""A real HTTP server that sends one file, well or badly."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What it sends, and what it was asked.

    Args:
        content: the file.
        cut: bytes of a reply after which the connection is closed, and how often; None: never.
        hangs: whether a reply stops in the middle and the connection stays open until the server is closed.
        ranges: whether it heeds Range.
        status: of every reply.
    """

    content: bytes
    cut: int | None = None
    hangs: bool = False
    ranges: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def reply(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one GET."""
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        request.send_response(206 if start and self.status == 200 else self.status)
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        body = self.content[start:]
        request.wfile.write(body[: len(body) // 2] if self.hangs else body[: self.cut])
        if self.hangs:
            request.wfile.flush()
            self.closing.wait(60)


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Serve on loopback until the block ends."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server.reply))
    server.url = f"http://127.0.0.1:{http.server_address[1]}/archive"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(reply: Callable[[BaseHTTPRequestHandler], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            reply(self)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
