"""A device plane for tests: a real HTTP server on loopback that answers as the contract says, or as told to."""

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shared.bundle import settings_counter
from shared.wire import (
    ASKED_NUMBER,
    BATCH_MEDIA_TYPE,
    Batch,
    EnrolmentRequest,
    Kind,
    Problem,
    ProblemCode,
    Retry,
    is_too_high,
    session_token,
)

DEVICE_ID = "dev1"
CLAIM = "claim-1"
VOUCHER = "v" * 43
SECRET = "a-secret-0123456789-abcdefghijklmnopqrstuvwxyz"
TOKEN = session_token(SECRET, CLAIM)
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """One request as it came; `head_bytes` counts request line and headers with their line ends."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    head_bytes: int


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def _token_of(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def problem(code: ProblemCode, detail: str = "because", highest_sequence: int | None = None, **headers: str) -> Answer:
    body = Problem.of(code, detail, highest_sequence=highest_sequence).model_dump_json().encode()
    return Answer(
        code.status,
        {"Content-Type": "application/problem+json", **{name.replace("_", "-"): v for name, v in headers.items()}},
        body,
    )


def refusal(code: ProblemCode, sequence: int, highest_sequence: int | None = None) -> Answer:
    """A problem that says which frame is refused, or whose label."""
    return problem(code, highest_sequence=highest_sequence, DW_Answered=f"{DEVICE_ID}.{sequence} refused")


class DevicePlane:
    """Start with `with`. `scripted` answers come first, one a request, for paths that begin with their key."""

    def __init__(self, tuf: Path | None = None, family: str = "signs") -> None:
        self.requests: list[Request] = []
        self.frames: dict[int, bytes] = {}
        self.companions: dict[int, tuple[int, bytes]] = {}
        self.knows_companions = True
        self.labels: dict[int, dict[str, str]] = {}
        self.receipts: list[int] = []
        self.diagnostics: dict[str, bytes] = {}
        self.secrets: list[str] = []
        self.conflicts: list[int] = []
        self.scripted: list[tuple[str, Answer]] = []
        self.judge: Callable[[int, bytes], ProblemCode | None] = lambda sequence, body: None
        self.after_frame: Callable[[int], None] = lambda sequence: None
        self.assignment: dict[str, Any] | None = None
        self.match = "exact"
        self.has_forgotten = False
        self.tokens = {TOKEN}
        self.enrolments: list[EnrolmentRequest] = []
        self.tuf = tuf
        self.family = family
        self._changed = threading.Condition(threading.RLock())
        self._connections: set[socket.socket] = set()
        self._held_path = ""
        self._let_go = threading.Event()
        self.is_holding = False
        self.connections = 0
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "DevicePlane":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen: on a free port the first time, on the same one after a `stop`."""
        handler = type("Handler", (_Handler,), {"plane": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        """Go down as a killed process does: every connection is cut."""
        assert self._server is not None and self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.cut_connections()

    def cut_connections(self) -> None:
        """Replies under way are lost."""
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a request makes `condition` true."""
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE_SECONDS), "the condition did not come true"

    def assign(self, seq: int, family: str, counter: int, target: str | None = None) -> None:
        target = target or f"{family}/{counter}.json"
        self.assignment = {"seq": seq, "family": family, "counter": counter, "target": target}

    def _settings_header(self) -> dict[str, str]:
        named, asked = ((self.assignment or {}).get(key) for key in ("settings", "diagnostics"))
        number = (0 if named is None else settings_counter(named) or 0) + (0 if asked is None else ASKED_NUMBER)
        return {"DW-Settings": str(number)} if number else {}

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def asked_for(self, ending: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(ending)]

    def hold(self, path: str) -> None:
        """Leave requests for `path` without an answer until `release`."""
        self._held_path = path

    def release(self) -> None:
        self._held_path = ""
        self._let_go.set()

    def _hold_if_asked(self, path: str) -> None:
        if path == self._held_path:
            with self._changed:
                self.is_holding = True
                self._changed.notify_all()
            self._let_go.wait(DEADLINE_SECONDS)

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self.connections += 1
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)

    def handle(self, request: Request) -> Answer:
        self._hold_if_asked(request.path)
        with self._changed:
            self.requests.append(request)
            answer = self._scripted(request) or self._answer(request)
            if _token_of(request) in self.tokens and self.assignment is not None:
                answer = Answer(
                    answer.status,
                    {**answer.headers, "DW-Assignment": str(self.assignment["seq"]), **self._settings_header()},
                    answer.body,
                )
            self._changed.notify_all()
            return answer

    def _scripted(self, request: Request) -> Answer | None:
        for index, (path, answer) in enumerate(self.scripted):
            if request.path == path:
                del self.scripted[index]
                return answer
        return None

    def _answer(self, request: Request) -> Answer:
        if request.path == "/v1/devices":
            return self._enrol(request)
        if request.path == "/openapi.json":
            return _json({"info": {"title": "dctwire device plane"}})
        if request.path.startswith("/tuf/"):
            return self._file(request)
        if self.has_forgotten or _token_of(request) not in self.tokens:
            return problem(ProblemCode.INVALID_TOKEN)
        routes = {
            "frames": self._frame,
            "frames:batch": self._batch,
            "assignment": self._assignment,
            "heartbeat": self._noted,
        }
        handler = routes.get(request.path.removeprefix("/v1/"))
        if handler is not None:
            return handler(request)
        return self._label(request)

    def _noted(self, _request: Request) -> Answer:
        return Answer(204)

    def _label(self, request: Request) -> Answer:
        if request.path.endswith("/events"):
            return Answer(204)
        if request.path.startswith("/v1/diagnostics/"):
            self.diagnostics[request.path.rpartition("/")[2]] = request.body
            (self.assignment or {}).pop("diagnostics", None)
            return Answer(204)
        label = re.fullmatch(rf"/v1/frames/{DEVICE_ID}\.(\d+)/label", request.path)
        if label is None:
            return problem(ProblemCode.NOT_FOUND)
        if int(label[1]) not in self.frames:
            return refusal(ProblemCode.NOT_FOUND, int(label[1]))
        self.labels[int(label[1])] = json.loads(request.body)
        return Answer(204, {"DW-Answered": f"{DEVICE_ID}.{label[1]}"})

    def _enrol(self, request: Request) -> Answer:
        wanted = EnrolmentRequest.model_validate_json(request.body)
        self.secrets.append(wanted.secret)
        self.enrolments.append(wanted)
        if wanted.claim_code != CLAIM or (self.has_forgotten and wanted.voucher != VOUCHER):
            return problem(ProblemCode.INVALID_CLAIM)
        self.has_forgotten = False
        token = session_token(wanted.secret, wanted.claim_code)
        self.tokens.add(token)
        return _json({"device_id": DEVICE_ID, "token": token, "family": self.family, "voucher": VOUCHER}, 201)

    def _frame(self, request: Request) -> Answer:
        sequence = int(request.headers["dw-sequence"])
        fault = self._take(sequence, request.body)
        if fault is not None:
            return refusal(fault, sequence, self._highest(fault))
        if request.headers.get("prefer") == "return=minimal":
            return Answer(204, {"DW-Answered": f"{DEVICE_ID}.{sequence} {self.match}"})
        return _json(self._result(sequence))

    def _batch(self, request: Request) -> Answer:
        assert request.headers.get("content-type", BATCH_MEDIA_TYPE) == BATCH_MEDIA_TYPE
        batch = Batch.from_bytes(request.body)
        if batch.kind is not Kind.FRAME and not self.knows_companions:
            return problem(ProblemCode.INVALID_BATCH)
        faults = {
            item.sequence: self._take(item.sequence, body, item.of)
            for item, body in zip(batch.items, batch.frames(), strict=True)
        }
        problems = {
            key: Problem.of(code, "because", highest_sequence=self._highest(code)).model_dump()
            for key, code in faults.items()
            if code
        }
        first, last, taken = batch.items[0].sequence, batch.items[-1].sequence, len(faults) - len(problems)
        named = {"DW-Answered": f"{DEVICE_ID}.{first}-{last}" + (f" {self.match}={taken}" if taken else "")}
        if request.headers.get("prefer") != "return=minimal":
            answer = _json(
                {"results": [{"problem": problems[key]} if key in problems else self._result(key) for key in faults]}
            )
        elif problems:
            answer = _json({"problems": problems})
        else:
            return Answer(204, named)
        return Answer(200, {**answer.headers, **named}, answer.body)

    def _result(self, sequence: int) -> dict[str, Any]:
        return {
            "id": f"{DEVICE_ID}.{sequence}",
            "label": "A",
            "confidence": 0.5,
            "model": "signs/1",
            "match": self.match,
        }

    def _highest(self, code: ProblemCode) -> int | None:
        """What is named beside a number that is taken or too high."""
        return max((*self.frames, *self.companions), default=0) if code.retry is Retry.RENUMBER else None

    def judge_numbers(self) -> None:
        """From now on, do as a dctwire server does: a number that another frame has, or a too high one, is refused."""

        def judge(sequence: int, body: bytes) -> ProblemCode | None:
            if is_too_high(sequence, max((*self.frames, *self.companions), default=-1)):
                return ProblemCode.SEQUENCE_TOO_HIGH
            taken = self.frames.get(sequence, self.companions.get(sequence, (0, body))[1])
            return ProblemCode.SEQUENCE_TAKEN if taken != body else None

        self.judge = judge

    def _take(self, sequence: int, body: bytes, of: int | None = None) -> ProblemCode | None:
        fault = self.judge(sequence, body)
        if fault is None and of is not None:
            self.companions[sequence] = (of, body)
            self.receipts.append(sequence)
            self.after_frame(sequence)
        elif fault is None:
            if self.frames.setdefault(sequence, body) != body:
                self.conflicts.append(sequence)
            self.receipts.append(sequence)
            self.after_frame(sequence)
        return fault

    def _assignment(self, request: Request) -> Answer:
        if self.assignment is None:
            return problem(ProblemCode.NO_ASSIGNMENT)
        number = self._settings_header().get("DW-Settings")
        etag = f'"{self.assignment["seq"]}{"" if number is None else f".{number}"}"'
        if request.headers.get("if-none-match") == etag:
            return Answer(304, {"ETag": etag})
        answer = _json(self.assignment)
        return Answer(200, {**answer.headers, "ETag": etag}, answer.body)

    def _file(self, request: Request) -> Answer:
        file = None if self.tuf is None else self.tuf / request.path.removeprefix("/tuf/")
        if file is None or not file.is_file():
            return problem(ProblemCode.NOT_FOUND)
        return Answer(200, {"Content-Type": "application/octet-stream"}, file.read_bytes())


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


class _CountingReader:
    def __init__(self, file: Any) -> None:
        self._file = file
        self.count = 0

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(limit)
        self.count += len(line)
        return line

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        return data

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    plane: DevicePlane

    def setup(self) -> None:
        super().setup()
        self.rfile = _CountingReader(self.rfile)  # type: ignore[assignment]
        self.plane.opened(self.connection)

    def finish(self) -> None:
        self.plane.closed(self.connection)
        try:
            super().finish()
        except OSError:
            return

    def handle_one_request(self) -> None:
        self.rfile.count = 0  # type: ignore[attr-defined]
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _do(self) -> None:
        head_bytes: int = self.rfile.count  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.plane.handle(Request(self.command, self.path, headers, body, head_bytes))
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = _do  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return
