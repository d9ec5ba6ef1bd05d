"""A dctwire device in one file, with Python's standard library alone: enrol, post pictures, fetch the tables.

    python3 client.py enrol --server http://127.0.0.1:8000 --claim CODE
    python3 client.py post picture.jpg ...           one request for each picture; prints the answers
    python3 client.py tables tables.jpg              the tables of this device's assignment, as a tables-only JPEG
    python3 client.py batch frame.jpg ...            one request for frames that differ in nothing but their scans

`post --minimal` asks for no results: the server then only names the frame and the match, in a header.

Any ordinary JPEG will do for `post`; `client.c` makes the small ones, which leave their tables at home. The device's
secret, its name, its token and its next number are in the file --state. docs/your-own-client.md explains each step.

This client does NOT verify signatures, since Python's standard library has no Ed25519: it believes the server. A device
in the field follows the TUF chain from the root.json that it was shipped with.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REPLY_MAX_BYTES = 2 << 20
SILENCE_SECONDS = 10.0
GIVE_UP_SECONDS = 300.0  # after so long, a request that the server keeps putting off is given up
PAUSE_MIN_SECONDS, PAUSE_MAX_SECONDS = 1.0, 60.0
SOI, EOI, SOS = b"\xff\xd8", b"\xff\xd9", 0xDA
ABBREVIATED_APP10 = b"\xff\xea\x00\x0cDW"


Reader = Callable[[str, bytes], Any]


class ProblemError(Exception):
    """The server's problem document (RFC 9457): `code` says what is wrong, `retry` what to do next."""

    def __init__(self, problem: dict[str, Any], retry_after: str) -> None:
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.code: str = problem["code"]
        self.retry: str = problem["retry"]
        self.highest_sequence: int = problem.get("highest_sequence", 0)
        self.retry_after_seconds = float(retry_after) if retry_after.isdecimal() else 0.0


class Server:
    """Requests to one device plane over a connection that is kept; whatever is to be sent later is sent later."""

    def __init__(self, address: str) -> None:
        url = urlsplit(address)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"{address!r} is no address of a server, which looks like http://127.0.0.1:8000")
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname, url.port, timeout=SILENCE_SECONDS)

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None = None,
        read: Reader = lambda _answered, answer: answer,
        refusal: str = "",
    ) -> Any:
        """What `read` makes of the answer; sending the same request again does no harm.

        Args:
            read: given the header DW-Answered and the body, raises an error where they answer something else.
            refusal: what DW-Answered says where this very request is refused; "" where that is not looked at.

        Raises:
            ProblemError: refused, and the same request would be refused again.
            OSError, http.client.HTTPException: no answer for GIVE_UP_SECONDS.
        """
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        pause_seconds = PAUSE_MIN_SECONDS / 2
        while True:
            pause_seconds = min(2 * pause_seconds, PAUSE_MAX_SECONDS)
            fault: Exception
            try:
                return self._exchange(method, path, headers, body, read, refusal)
            except ProblemError as problem:
                if problem.retry != "later":
                    raise
                fault, pause_seconds = problem, max(pause_seconds, problem.retry_after_seconds)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                fault = error
            if time.monotonic() + pause_seconds > give_up_at:
                raise fault
            print(f"{fault}; again in {pause_seconds:.0f} s", file=sys.stderr)
            time.sleep(pause_seconds)

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, read: Reader, refusal: str
    ) -> Any:
        self._connection.request(method, path, body, headers)
        with self._connection.getresponse() as reply:
            answer = reply.read(REPLY_MAX_BYTES + 1)
            if len(answer) > REPLY_MAX_BYTES:
                raise http.client.HTTPException("an answer longer than any of a dctwire server")
            if reply.status < 300:
                return believed(reply, answer, read)
            if reply.headers.get_content_type() != "application/problem+json":
                raise http.client.HTTPException(f"{reply.status} without a problem document: no dctwire server")
            problem = ProblemError(json.loads(answer), reply.headers.get("Retry-After", ""))
            if reply.status != 401 and refusal and reply.headers.get("DW-Answered") != refusal:
                raise http.client.HTTPException(f"{problem}; it does not say that it refuses this frame") from problem
            raise problem


def believed(reply: http.client.HTTPResponse, answer: bytes, read: Reader) -> Any:
    """What `read` makes of an answer. Captive portals and proxies answer anything, with 204 or a page of their own."""
    try:
        return read(reply.headers.get("DW-Answered", ""), answer)
    except (ValueError, LookupError, TypeError) as error:
        raise http.client.HTTPException(f"{reply.status}, but no answer of a dctwire server: {error}") from error


class Device:
    """One enrolled device; what it must remember is on disk before it is used."""

    def __init__(self, file: Path, memory: dict[str, Any]) -> None:
        self._file = file
        self._memory = memory
        self._server = Server(memory["server"])
        self._token = {"Authorization": f"Bearer {memory['token']}"}

    @classmethod
    def enrol(cls, file: Path, server: str, claim_code: str) -> "Device":
        """Turn a claim code, which works once, into a device id and a token.

        The secret is on disk before it is sent: where the answer is lost, the same code and secret get it again.
        """
        memory = {"next_sequence": 1, "secret": secrets.token_urlsafe(32)}
        memory |= json.loads(file.read_text()) if file.exists() else {}
        if "token" in memory:
            raise FileExistsError(f"{file} holds a device's identity already: name another file as --state")
        save(file, memory)
        body = json.dumps({"claim_code": claim_code, "secret": memory["secret"]}).encode()
        try:
            made = json.loads(Server(server).ask("POST", "/v1/devices", {"Content-Type": "application/json"}, body))
        except ProblemError as error:
            if error.code in ("not-found", "method-not-allowed"):
                raise ValueError(
                    f"{server} is not the device plane, whose port is 8000 by default ({error})"
                ) from error
            raise
        device = cls(file, memory | {"server": server, "tables": None} | made)
        device._save()
        return device

    @classmethod
    def load(cls, file: Path) -> "Device":
        """The device that `enrol` left in `file`."""
        memory = json.loads(file.read_text()) if file.exists() else {}
        if "token" not in memory:
            raise FileNotFoundError(f"{file} holds no identity: this device is not enrolled, `enrol` first")
        return cls(file, memory)

    def __str__(self) -> str:
        return f"{self._memory['device_id']} in family {self._memory['family']}"

    def post(self, jpeg: bytes, *, is_minimal: bool = False) -> dict[str, Any]:
        """Post one JPEG: `{id, label, confidence, model, match}`, or with `is_minimal` no more than `{id, match}`."""
        return self._send(jpeg, self._take_numbers(1), {"Prefer": "return=minimal"} if is_minimal else {})

    def post_batch(self, frames: Sequence[bytes]) -> list[dict[str, Any]]:
        """Post 1 to 256 frames in one request; each one's answer is as from `post`, or `{problem}`."""
        first = self._take_numbers(len(frames))
        headers = {"Content-Type": "application/vnd.dctwire.batch"}
        body = batch(frames, first, round(time.time() * 1000))
        ids = [f"{self._memory['device_id']}.{first + index}" for index in range(len(frames))]
        results: list[dict[str, Any]] = self._ask("POST", "/v1/frames:batch", headers, body, results_of(ids))
        for index, result in enumerate(results):
            if result.get("problem", {"retry": "no"})["retry"] != "no":
                results[index] = self._send(frames[index], first + index, {})
        return results

    def fetch_bundle(self) -> dict[str, Any]:
        """The bundle that this device is to use: `tables`, a tables-only JPEG in base64; `input`, its frames' size."""
        assignment = json.loads(self._ask("GET", "/v1/assignment"))
        bundle: dict[str, Any] = json.loads(self._fetch_target(assignment["target"]))
        self._memory["tables"] = bundle["tables"]
        self._save()
        return bundle

    def _send(self, jpeg: bytes, sequence: int, prefer: dict[str, str], *, may_renumber: bool = True) -> dict[str, Any]:
        headers = {"Content-Type": "image/jpeg", "DW-Sequence": str(sequence), **prefer}
        frame_id = f"{self._memory['device_id']}.{sequence}"
        asked = (headers, jpeg, result_of(frame_id), f"{frame_id} refused")
        try:
            result: dict[str, Any] = self._ask("POST", "/v1/frames", *asked)
        except ProblemError as error:
            if error.retry == "with-tables" and jpeg.startswith(SOI + ABBREVIATED_APP10) and self._memory["tables"]:
                return self._send(with_tables(jpeg, base64.b64decode(self._memory["tables"])), sequence, prefer)
            if error.retry == "renumber" and may_renumber:  # what this device remembered was lost, or is a copy
                is_far = error.code == "sequence-too-high" and sequence > max(2**42, error.highest_sequence + 2**20)
                self._count_from(max(0 if is_far else self._memory["next_sequence"], error.highest_sequence + 1))
                return self._send(jpeg, self._take_numbers(1), prefer, may_renumber=False)
            raise
        return result

    def _fetch_target(self, target: str) -> bytes:
        """A file of the server's TUF repository. Its length and digest are checked, no signature is."""
        family, _, name = target.rpartition("/")
        timestamp = self._metadata(f"{family}/timestamp.json")
        snapshot = self._metadata(f"{family}/{timestamp['meta']['snapshot.json']['version']}.snapshot.json")
        targets = self._metadata(f"{family}/{snapshot['meta']['targets.json']['version']}.targets.json")
        entry = targets["targets"][target]
        data: bytes = self._ask("GET", f"/tuf/{family}/{entry['hashes']['sha256']}.{name}")
        if len(data) != entry["length"] or hashlib.sha256(data).hexdigest() != entry["hashes"]["sha256"]:
            raise ValueError(f"{target} is not the file that the targets metadata describes")
        return data

    def _metadata(self, name: str) -> dict[str, Any]:
        signed: dict[str, Any] = json.loads(self._ask("GET", f"/tuf/{name}"))["signed"]
        return signed

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, *further: Any) -> Any:
        return self._server.ask(method, path, self._token | (headers or {}), *further)

    def _take_numbers(self, count: int) -> int:
        """The first of `count` numbers, which no frame had before: that they are taken is on disk first."""
        first: int = self._memory["next_sequence"]
        self._count_from(first + count)
        return first

    def _count_from(self, sequence: int) -> None:
        self._memory["next_sequence"] = sequence
        self._save()

    def _save(self) -> None:
        save(self._file, self._memory)


def result_of(frame_id: str) -> Reader:
    """Reads the answer to a frame: its result, or the header of an answer without one."""

    def read(answered: str, answer: bytes) -> dict[str, Any]:
        result: dict[str, Any] = (
            json.loads(answer) if answer else dict(zip(("id", "match"), answered.split(), strict=True))
        )
        if result["id"] != frame_id:
            raise ValueError(f"it is about {result['id']!r}, not {frame_id}")
        return result

    return read


def results_of(frame_ids: Sequence[str]) -> Reader:
    """Reads the answer to a batch: in the place of each frame its result or its problem."""

    def read(answered: str, answer: bytes) -> list[dict[str, Any]]:
        ends = f"{frame_ids[0]}-{frame_ids[-1].rpartition('.')[2]}"
        if answered.partition(" ")[0] != ends:
            raise ValueError(f"it is about {answered!r}, not {ends}")
        results: list[dict[str, Any]] = json.loads(answer)["results"]
        for result, frame_id in zip(results, frame_ids, strict=True):
            if "problem" not in result and result["id"] != frame_id:
                raise ValueError(f"it is about {result['id']!r}, not {frame_id}")
        return results

    return read


def save(file: Path, memory: dict[str, Any]) -> None:
    """Replace the file as a whole, for its owner only; it is on disk when this returns."""
    new = file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
        json.dump(memory, written)
        written.flush()
        os.fsync(written.fileno())
    new.replace(file)


def batch(frames: Sequence[bytes], first_sequence: int, captured_at_ms: int) -> bytes:
    """Frames with the same prefix as one body; they get the numbers from `first_sequence` on and one capture time."""
    prefix = frames[0][: scan_start(frames[0])]
    if not all(frame.startswith(prefix) and frame.endswith(EOI) for frame in frames):
        raise ValueError("frames of one batch are equal up to their scans: same size, same tables, same markers")
    body = b"DWB1" + varint(len(prefix)) + prefix + varint(len(frames)) + varint(captured_at_ms)
    for index, frame in enumerate(frames):
        scan = frame[len(prefix) : -len(EOI)]
        # the first delta counts from 0, so it is the number itself; only later frames have a delta of the capture time
        body += varint(1) + varint(0) if index else varint(first_sequence)
        body += varint(len(scan)) + scan
    return body


def varint(value: int) -> bytes:
    """An unsigned LEB128 number: seven bits a byte, the lowest first, the high bit set in all but the last."""
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def scan_start(jpeg: bytes) -> int:
    """Where the entropy-coded bytes begin: behind the header of SOS."""
    at = len(SOI)
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, at = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == SOS:
            return at
    raise ValueError("this is no JPEG with a scan")


def with_tables(frame: bytes, tables: bytes) -> bytes:
    """An abbreviated frame with its tables put back (T.81 B.5): SOI, DQT and DHT, and the frame without its APP10."""
    segments = tables[len(SOI + b"\xff\xea\x00\x05DW") + 1 : -len(EOI)]
    return SOI + segments + frame[len(SOI + ABBREVIATED_APP10) + 8 :]


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path("device.json"), help="what this device must remember")
    commands = parser.add_subparsers(dest="command", required=True)
    enrol = commands.add_parser("enrol", help="turn a claim code into an identity")
    enrol.add_argument("--server", required=True, help="the device plane, such as http://127.0.0.1:8000")
    enrol.add_argument("--claim", required=True, help="what `dctwire claim FAMILY` printed")
    commands.add_parser("tables", help="fetch the assigned tables").add_argument("out", type=Path)
    for name in ("post", "batch"):
        sending = commands.add_parser(name, help="send JPEG files")
        sending.add_argument("pictures", type=Path, nargs="+")
        if name == "post":
            sending.add_argument("--minimal", action="store_true", help="ask for no result, only for the match")
    given = parser.parse_args()
    if given.command == "enrol":
        print(Device.enrol(given.state, given.server, given.claim))
    elif given.command == "tables":
        bundle = Device.load(given.state).fetch_bundle()
        given.out.write_bytes(base64.b64decode(bundle["tables"]))
        size = "{width} x {height} pixels (width x height), {sampling}".format(**bundle["input"])
        print(f"{bundle['family']}/{bundle['counter']}: pictures of {size}")
    else:
        device, frames = Device.load(given.state), [path.read_bytes() for path in given.pictures]
        if given.command == "post":
            answers = (device.post(frame, is_minimal=given.minimal) for frame in frames)
        else:
            answers = (answer for answer in device.post_batch(frames))
        for answer in answers:
            print(json.dumps(answer))


if __name__ == "__main__":
    try:
        main()
    except (ProblemError, OSError, ValueError, http.client.HTTPException) as error:
        sys.exit(f"client.py: {error}")
