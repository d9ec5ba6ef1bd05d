"""A camera that speaks RTSP (RFC 2326) on a real socket: JPEG over RTP (RFC 2435) inside the same TCP connection."""

import contextlib
import io
import socket
import struct
import threading
import time
from base64 import b64encode

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48
PACKET_BYTES = 1200
FRAME_SECONDS = 0.02
CLOCK_HZ = 90_000
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\na=control:track1\r\n"
)


class RtspCamera:
    """Plays `frames` frames to whoever asks, then hangs up. Start with `with`.

    Args:
        login: `user:password` (Basic) without which nobody gets a description.
    """

    def __init__(self, frames: int = 10**6, login: str | None = None) -> None:
        self._frames = frames
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.plays = 0

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/live"

    def __enter__(self) -> "RtspCamera":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        """End every connection."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
            while (method := self._answer(connection, lines)) not in ("PLAY", ""):
                pass
            if method:
                self.plays += 1
                self._play(connection)

    def _answer(self, connection: socket.socket, lines: io.BufferedReader) -> str:
        """Answer a request; its method, "" at the end."""
        first = lines.readline().decode().split()
        if not first:
            return ""
        headers: dict[str, str] = {}
        while (line := lines.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        said = [f"CSeq: {headers['cseq']}"]
        status, body, method = "200 OK", "", first[0]
        wanted = None if self._login is None else f"Basic {b64encode(self._login.encode()).decode()}"
        if method == "OPTIONS":
            said.append("Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif wanted is not None and headers.get("authorization") != wanted:
            status = "401 Unauthorized"
            said.append('WWW-Authenticate: Basic realm="camera"')
        elif method == "DESCRIBE":
            body = SDP
            said += ["Content-Type: application/sdp", f"Content-Base: {first[1]}/", f"Content-Length: {len(SDP)}"]
        elif method == "SETUP":
            said += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
        else:
            said.append("Session: 1")
        connection.sendall("\r\n".join([f"RTSP/1.0 {status}", *said, "", body]).encode())
        return method

    def _play(self, connection: socket.socket) -> None:
        sequence = 0
        for index in range(self._frames):
            tables, scan = jpeg_parts(index)
            stamp = int(index * FRAME_SECONDS * CLOCK_HZ)
            for at in range(0, len(scan), PACKET_BYTES):
                piece = scan[at : at + PACKET_BYTES]
                is_last = at + PACKET_BYTES >= len(scan)
                head = struct.pack(">BI BBBB", 0, at, 1, 255, WIDTH // 8, HEIGHT // 8)
                head = head[:1] + head[2:]  # the offset has 24 bits
                quantisation = struct.pack(">BBH", 0, 0, len(tables)) + tables if at == 0 else b""
                packet = struct.pack(">BBHII", 0x80, 26 | 0x80 * is_last, sequence & 0xFFFF, stamp, 7)
                packet += head + quantisation + piece
                connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                sequence += 1
            time.sleep(FRAME_SECONDS)


def jpeg_parts(index: int) -> tuple[bytes, bytes]:
    """The two quantisation tables and the scan of a 4:2:0 picture with the Huffman tables of Annex K."""
    pixels = np.full((HEIGHT, WIDTH, 3), (index * 7) % 200 + 20, np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = (200, 30, 30)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling="4:2:0")
    jpeg, tables, place = file.getvalue(), b"", 2
    while jpeg[place + 1] != 0xDA:
        length = int.from_bytes(jpeg[place + 2 : place + 4])
        if jpeg[place + 1] == 0xDB:
            segment = jpeg[place + 4 : place + 2 + length]
            tables += b"".join(segment[at + 1 : at + 65] for at in range(0, len(segment), 65))
        place += 2 + length
    return tables, jpeg[place + 2 + int.from_bytes(jpeg[place + 2 : place + 4]) : -2]
