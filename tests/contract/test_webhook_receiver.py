"""examples/webhook_receiver.py, as its reader runs it, told by a real server."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cloud_server.events.signing import secrets_of, signed_headers
from tests.cloud_server.harness.receivers import OTHER_SECRET, SECRET, webhooks_file
from tests.cloud_server.harness.server import server_in_thread

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "webhook_receiver.py"


@contextmanager
def receiving(folder: Path) -> Iterator[tuple[str, IO[str]]]:
    """Where it listens, and what it prints; Python is told to leave out all packages but its own."""
    secret = folder / "receiver.secret"
    secret.write_text(f"{SECRET}\n")
    words = (sys.executable, "-I", "-S", str(EXAMPLE), "--secret-file", str(secret), "--port", "0")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        assert program.stdout is not None
        try:
            yield program.stdout.readline().removeprefix("listening on ").strip(), program.stdout
        finally:
            program.terminate()


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status that a message gets."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_prints_what_a_server_tells(tmp_path: Path) -> None:
    with receiving(tmp_path) as (url, printed):
        file = webhooks_file(tmp_path / "settings", example=url)
        file.write_text(f'{file.read_text()}kinds = ["drift.*"]\n')  # tests are told whatever it wants
        with server_in_thread(tmp_path, webhooks=file) as server:
            assert server.client("operator").post("/v1/webhooks/example/test").status_code == 202
            at, kind, *data = printed.readline().split(" ", 2)
    assert (at[-1], kind) == ("Z", "webhook.test")
    assert json.loads(data[0])["subject"] == "example"


def test_it_prints_a_message_once_and_none_that_is_not_signed_by_a_secret_it_knows(tmp_path: Path) -> None:
    body = b'{"type":"drift.began","timestamp":"2026-01-01T00:00:00Z","data":{}}'
    last = body.replace(b"began", b"ended")
    now = int(time.time())
    with receiving(tmp_path) as (url, printed):
        forged = dict(signed_headers("event-1", now, body, secrets_of(OTHER_SECRET)))
        assert post(url, body, forged) == 401
        signed = dict(signed_headers("event-2", now, body, secrets_of(SECRET)))
        assert [post(url, body, signed) for _ in range(2)] == [204, 204]
        late = dict(signed_headers("event-3", now - 600, body, secrets_of(SECRET)))
        assert post(url, body, late) == 401
        assert post(url, last, dict(signed_headers("event-4", now, last, secrets_of(SECRET)))) == 204
        lines = [printed.readline() for _ in range(2)]
    assert [line.split()[1] for line in lines] == ["drift.began", "drift.ended"]
